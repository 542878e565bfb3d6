import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { container, isUsable, v2Alone } from './container.fixture.ts';
import { freezeCgroups, isFrozen } from './freezer.ts';
import { hierarchies } from './hierarchies.ts';
import { killCgroup } from './kill.ts';
import { cgroupProcesses, directoriesOf } from './processes.ts';
import { removeCgroups } from './remove.ts';

const kinds = [
  ['the machine’s', hierarchies()],
  ['v1 alone', { ...hierarchies(), v2: null }],
  ['v2 alone', v2Alone],
] as const;

test.skipIf(!isUsable).each(kinds)(
  '%s: SIGKILL reaches all, forking or frozen, and a cgroup that stays',
  async (_, all) => {
    if (!all || (all.v1.length === 0 && !all.v2)) return console.log('skipped: the machine has no such hierarchy');
    for (const staysInUse of [false, true]) {
      for (const frozen of [false, true]) {
        await using one = await container('kill', {}, all);
        const first = await one.run('while :; do (sleep 1000 &) ; sleep 0.01; done & while :; do (sleep 1000 &); done');
        if (frozen) await freezeCgroups(one.path, true, all);
        killCgroup(one.path, all, { staysInUse });
        if (first.signalCode === null) await once(first, 'exit');
        expect(first.signalCode).toBe('SIGKILL');
        await expect.poll(() => cgroupProcesses(one.path, all), { timeout: 4000 }).toEqual([]);
        expect(isFrozen(one.path, all)).toBe(false);
        if (staysInUse) {
          // What enters later lives: nothing was written to cgroup.kill.
          const next = await one.run('sleep 1000 & wait');
          expect(cgroupProcesses(one.path, all)).toContain(next.pid);
        }
      }
    }
  },
  30_000,
);

test.skipIf(!isUsable)('another signal goes to all, and what was frozen stays so', async () => {
  await using one = await container('term');
  const first = await one.run('while :; do sleep 0.01; done', '', 'trap "exit 7" TERM');
  await freezeCgroups(one.path, true);
  killCgroup(one.path, undefined, { signal: 'SIGTERM' });
  expect(isFrozen(one.path)).toBe(true);
  expect(first.exitCode).toBe(null);
  await freezeCgroups(one.path, false);
  expect((await once(first, 'exit'))[0]).toBe(7);
});

test.skipIf(!isUsable).each(kinds)(
  '%s: a frozen container with cgroups of its own is removed whole',
  async (_, all) => {
    if (!all || (all.v1.length === 0 && !all.v2)) return console.log('skipped: the machine has no such hierarchy');
    await using one = await container('nested', {}, all);
    for (const directory of directoriesOf(one.path, all)) {
      mkdirSync(`${directory}/a/b/c`, { recursive: true });
      mkdirSync(`${directory}/a/x`, { recursive: true });
    }
    const freezable = all.v1.some((each) => each.controllers.includes('cpuset')) ? '' : '/a/b/c';
    await one.run('sleep 1000 & sleep 1000', freezable);
    await freezeCgroups(one.path, true, all);
    await removeCgroups(one.path, all);
    expect(directoriesOf(one.path, all).filter(existsSync)).toEqual([]);
  },
);

test('the top of the hierarchies is nobody’s container', async () => {
  for (const path of ['', '/', '//', '/a/../..', 'a']) {
    expect(() => killCgroup(path)).toThrow(/not the path of a container/);
    await expect(removeCgroups(path)).rejects.toThrow(/not the path of a container/);
  }
});
