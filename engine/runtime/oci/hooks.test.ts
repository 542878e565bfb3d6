import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { loadKernel } from '../../../native/index.ts';
import { runHooks } from './hooks.ts';

const state = (annotations: Record<string, string> = {}) =>
  ({ ociVersion: '1.3.0', id: 'c', status: 'created', pid: 1, bundle: tmpdir(), annotations }) as const;
const shell = (script: string) => [{ path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin:/usr/bin'] }];
const run = (script: string, annotations?: Record<string, string>) =>
  runHooks(loadKernel().process, 'poststart', shell(script), state(annotations));

test('what a hook and its processes say at its end is in the error', async () => {
  await expect(run('echo why >&2; exit 3')).rejects.toThrow('exited with 3: why.');
  await expect(run('(sleep 0.02; echo why >&2) & exit 3')).rejects.toThrow('exited with 3: why.');
});

test('what a hook leaves running holds nobody up, with its stderr and its unread state', async () => {
  const long = { long: 'x'.repeat(300_000) };
  const began = performance.now();
  const held = process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length;
  await run('exec 3<&0; sleep 5 <&3 & exit 0', long);
  await expect(run('exec 3<&0; echo why >&2; sleep 5 <&3 & exit 3', long)).rejects.toThrow('why');
  expect(performance.now() - began).toBeLessThan(4000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length).toBeLessThanOrEqual(held);
});
