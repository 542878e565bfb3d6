import { readdirSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { container, isUsable, v2Alone } from './container.fixture.ts';
import { delegateCgroup } from './delegate.ts';
import { hierarchies } from './hierarchies.ts';

test.skipIf(!isUsable || !v2Alone)(
  'v2: directory, processes and children are the user’s, the limits stay root’s',
  async () => {
    await using one = await container('delegate', {}, v2Alone!);
    const directory = v2Alone!.v2!.path + one.path;
    const owned = () => readdirSync(directory).filter((name) => statSync(`${directory}/${name}`).uid === 1234);
    delegateCgroup(one.path, 1234, v2Alone!);
    expect(statSync(directory).uid).toBe(1234);
    expect(owned()).toEqual(expect.arrayContaining(['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']));
    expect(owned()).not.toContain('cgroup.max.depth');
    expect(owned()).not.toContain('cgroup.freeze');
  },
);

test.skipIf(!isUsable || hierarchies().mode === 'unified')('v1 and hybrid: nothing is handed over', async () => {
  await using one = await container('delegate');
  delegateCgroup(one.path, 1234);
  for (const { path } of hierarchies().v1) expect(statSync(path + one.path).uid).toBe(0);
});

test('a cgroup that is gone is told', () => {
  if (!v2Alone) return console.log('skipped: no cgroup v2 is mounted');
  const all = v2Alone;
  expect(() => delegateCgroup('/stack-test-none', 1234, all)).toThrow(expect.objectContaining({ code: 'host.cgroup' }));
});
