import { expect, test } from 'vitest';
import { coalesce } from './coalesce.ts';

function gate() {
  const runs: string[] = [];
  const open: (() => void)[] = [];
  const call = coalesce<string>((input) => {
    runs.push(input);
    return new Promise((resolve, reject) => open.push(input === 'bad' ? () => reject(new Error('bad')) : resolve));
  });
  return { runs, open, call };
}

test('calls during a run share one next run, which sees the latest input', async () => {
  const { runs, open, call } = gate();
  const first = call('a');
  const others = [call('b'), call('c'), call('d')];
  expect(runs).toEqual(['a']);
  open[0]!();
  await first;
  await Promise.resolve();
  expect(runs).toEqual(['a', 'd']);
  open[1]!();
  await Promise.all(others);
  const again = call('e');
  expect(runs).toEqual(['a', 'd', 'e']);
  open[2]!();
  await again;
});

test('a failed run fails its own callers only', async () => {
  const { runs, open, call } = gate();
  const first = call('bad');
  const second = call('b');
  open[0]!();
  await expect(first).rejects.toThrow('bad');
  await Promise.resolve();
  expect(runs).toEqual(['bad', 'b']);
  open[1]!();
  await second;
});
