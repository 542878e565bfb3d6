import { expect, test } from 'vitest';
import type { Hierarchies } from './hierarchies.ts';
import { withoutUnkeepable } from './optional.ts';

const hierarchies = (v1: string[], v2: string[]): Hierarchies =>
  ({
    mode: v1.length > 0 ? 'hybrid' : 'unified',
    v1: v1.map((name) => ({ path: `/sys/fs/cgroup/${name}`, controllers: [name] })),
    v2: { path: '/sys/fs/cgroup', controllers: v2 },
    cpuset: { cpus: '0', mems: '0' },
  }) as Hierarchies;

const asked = {
  memory: { limit: 5, swappiness: 7, disableOOMKiller: true },
  blockIO: { weight: 100 },
  pids: { limit: 3 },
};

test('what the machine has stays as it was asked', () => {
  expect(withoutUnkeepable(asked, hierarchies(['memory', 'blkio'], []))).toEqual({ resources: asked, dropped: [] });
});

test('what cgroup v2 has nothing for goes, the limit of memory stays', () => {
  const { resources, dropped } = withoutUnkeepable(asked, hierarchies([], ['memory', 'io', 'pids']));
  expect(resources).toEqual({ memory: { limit: 5 }, blockIO: { weight: 100 }, pids: { limit: 3 } });
  expect(dropped.map(({ attribute }) => attribute)).toEqual(['mem_swappiness', 'oom_kill_disable']);
});

test('without a controller for block devices their limits go', () => {
  const { resources, dropped } = withoutUnkeepable(asked, hierarchies(['memory'], ['pids']));
  expect(resources.blockIO).toBeUndefined();
  expect(dropped).toEqual([
    { attribute: 'blkio_config', why: expect.stringContaining('neither the controller blkio') },
  ]);
});

test('nothing asked is nothing kept', () => {
  expect(withoutUnkeepable({ memory: { swappiness: 1 } }, hierarchies([], ['memory'])).resources).toEqual({});
});
