import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { container, isUsable } from './container.fixture.ts';
import { hierarchies } from './hierarchies.ts';
import { oomEvents, oomKills } from './oom.ts';

const MiB = 1024 * 1024;
const hasMemory = [...hierarchies().v1, hierarchies().v2].some((one) => one?.controllers.includes('memory'));

test.skipIf(!isUsable || !hasMemory)(
  'on this machine: a kill for want of memory is counted, others are not',
  async () => {
    await using one = await container('oom', { memory: { limit: 8 * MiB, swap: 8 * MiB } });
    const [plain, greedy] = [
      await one.run('kill -KILL $$'),
      await one.run('x=0123456789abcdef; while :; do x=$x$x; done'),
    ];
    for (const child of [plain, greedy]) {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');
    }
    expect(oomKills(one.path)).toBe(1);
  },
  20_000,
);

test('v2: a kill without an `oom` of its own came from a limit above', () => {
  const top = mkdtempSync(join(tmpdir(), 'stack-oom-'));
  const all = { mode: 'unified' as const, v1: [], v2: { path: top, controllers: [] }, cpuset: { cpus: '', mems: '' } };
  try {
    mkdirSync(`${top}/c`);
    expect(oomEvents('/c', all)).toEqual({ kills: 0, ownKills: 0 });
    writeFileSync(`${top}/c/memory.events`, 'low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 0\n');
    expect(oomEvents('/c', all)).toEqual({ kills: 3, ownKills: 3 });
    writeFileSync(`${top}/c/memory.events`, 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\noom_group_kill 0\n');
    expect(oomEvents('/c', all)).toEqual({ kills: 1, ownKills: 0 });
  } finally {
    rmSync(top, { recursive: true });
  }
});
