/** Networks and volumes whose definition changed, on the machine in memory. */
import { expect, test } from 'vitest';
import type { ReconcileOptions } from '../../planner/reconcile/options.ts';
import { reconcile } from '../../planner/reconcile/reconcile.ts';
import type { Project } from '../../schemas/project.ts';
import { execute } from './execute.ts';
import { Memory } from './memory.ts';

const project: Project = {
  name: 'demo',
  services: {
    db: {
      image: 'busybox',
      command: null,
      entrypoint: null,
      networks: { default: null },
      volumes: [{ type: 'volume', source: 'data', target: '/data' }],
    },
  },
  networks: { default: { name: 'demo_default', ipam: {} } },
  volumes: { data: { name: 'demo_data' } },
};

/** What is done, call by call. */
async function run(memory: Memory, of: Project, options: Partial<ReconcileOptions> = {}): Promise<string[]> {
  const snapshot = memory.snapshot();
  const plan = reconcile(of, snapshot, { action: 'up', ...options });
  const from = memory.log.length;
  await execute({ plan, project: of, snapshot, effects: async () => memory.effects, emit: () => {} });
  return memory.log.slice(from);
}

test('labels are written down, and nothing else happens', async () => {
  const memory = new Memory(project);
  await run(memory, project);
  const changed = structuredClone(project);
  changed.networks.default!.labels = { a: 'b' };
  changed.volumes.data!.labels = { a: 'b' };
  expect((await run(memory, changed)).sort()).toEqual(['update network demo_default', 'update volume demo_data']);
  expect(await run(memory, changed)).toEqual([]);
});

test('a volume that is named is deleted once its containers are gone, and they come back on the new one', async () => {
  const changed = structuredClone(project);
  changed.volumes.data!.driver_opts = { type: 'nfs' };
  // Memory mounts what its own project says.
  const memory = new Memory(changed);
  await run(memory, project);
  expect(await run(memory, changed, { recreateVolumes: ['data'] })).toEqual([
    'stop demo-db-1',
    'remove demo-db-1',
    'remove volume demo_data',
    'create volume demo_data',
    'create demo-db-1',
    'start demo-db-1',
  ]);
  expect(await run(memory, changed, { recreateVolumes: ['data'] })).toEqual([]);
});
