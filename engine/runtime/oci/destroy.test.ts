import { once } from 'node:events';
import { expect, test } from 'vitest';
import { loadKernel } from '../../../native/index.ts';
import { freezeCgroups, hierarchies } from '../cgroup/cgroup.ts';
import { container, isUsable, parent } from '../cgroup/container.fixture.ts';
import type { Runtime } from './create.ts';
import { cleanUpAfter, killProcess } from './destroy.ts';
import { type ContainerState, processStat } from './state.ts';

const runtime = { kernel: loadKernel() } as Runtime;
const hasFreezer = hierarchies().v1.some(({ controllers }) => controllers.includes('freezer'));
if (!hasFreezer) console.log('skipped: only the freezer of cgroup v1 keeps a process from dying');

test.skipIf(!isUsable || !hasFreezer)('a process that does not end is told, and not waited for', async () => {
  await using one = await container('stuck');
  const child = await one.run('exec sleep 1000');
  const pid = child.pid!;
  const state = { id: 'c', pid, startTime: processStat(pid)!.startTime, cgroupsPath: one.path } as ContainerState;
  await freezeCgroups(parent, true);
  try {
    await expect(killProcess(runtime, state, 200)).rejects.toMatchObject({
      code: 'runtime.timeout',
      message: expect.stringContaining(`process ${pid} of c`),
      hint: expect.stringContaining(`/proc/${pid}/stack`),
    });
  } finally {
    await freezeCgroups(parent, false);
  }
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
});

test.skipIf(!isUsable)('a paused process is killed', async () => {
  await using one = await container('paused');
  const child = await one.run('exec sleep 1000');
  const pid = child.pid!;
  await freezeCgroups(one.path, true);
  const state = { id: 'c', pid, startTime: processStat(pid)!.startTime, cgroupsPath: one.path } as ContainerState;
  await killProcess(runtime, state, 5000);
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
});

test('the first error is thrown, the cleaning up’s comes along', async () => {
  const first = await cleanUpAfter(new Error('first'), () => Promise.reject(new Error('second')));
  expect([first.message, first.also.map(({ message }) => message)]).toEqual(['first', ['second']]);
});
