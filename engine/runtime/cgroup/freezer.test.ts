import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { container, isUsable, v2Alone } from './container.fixture.ts';
import { freezeCgroups, isFrozen } from './freezer.ts';
import { hierarchies } from './hierarchies.ts';

/** Clock ticks the process has had. */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

const kinds = [
  ['the machine’s', hierarchies()],
  ['v2 alone', v2Alone],
] as const;

test.skipIf(!isUsable).each(kinds)('%s: what is frozen gets no time until it is thawed', async (_, all) => {
  if (!all) return console.log('skipped: no cgroup v2 is mounted');
  await using one = await container('freeze', {}, all);
  const { pid } = await one.run('(while :; do :; done) & while :; do :; done');
  expect(isFrozen(one.path, all)).toBe(false);
  await freezeCgroups(one.path, true, all);
  expect(isFrozen(one.path, all)).toBe(true);
  const before = ticks(pid!);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(ticks(pid!)).toBe(before);
  await freezeCgroups(one.path, true, all);
  await freezeCgroups(one.path, false, all);
  await freezeCgroups(one.path, false, all);
  expect(isFrozen(one.path, all)).toBe(false);
  await expect.poll(() => ticks(pid!), { timeout: 3000 }).toBeGreaterThan(before);
});

test.skipIf(!isUsable).each(kinds)('%s: many that are born and die are all stopped', async (_, all) => {
  if (!all) return console.log('skipped: no cgroup v2 is mounted');
  await using one = await container('forks', {}, all);
  await one.run('while :; do /bin/true; done & while :; do (/bin/true &) ; done');
  for (let round = 0; round < 3; round++) {
    await freezeCgroups(one.path, true, all);
    await freezeCgroups(one.path, false, all);
  }
});

test.skipIf(!isUsable)('an empty cgroup freezes; one that is gone is told', async () => {
  const path = await (async () => {
    await using one = await container('empty');
    await freezeCgroups(one.path, true);
    expect(isFrozen(one.path)).toBe(true);
    return one.path;
  })();
  expect(isFrozen(path)).toBe(false);
  await expect(freezeCgroups(path, true)).rejects.toMatchObject({ code: 'host.cgroup', errno: 'ENOENT' });
});

test('a machine without any freezer is told so', async () => {
  const none = { mode: 'v1', v1: [], v2: null, cpuset: { cpus: '', mems: '' } } as const;
  await expect(freezeCgroups('/c', true, { ...none, v1: [] })).rejects.toMatchObject({ code: 'host.kernel-feature' });
});
