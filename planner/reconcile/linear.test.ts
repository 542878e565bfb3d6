import { expect, test } from 'vitest';
import type { Dependency, Network, Project, Service } from '../../schemas/project.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { reconcile } from './reconcile.ts';
import { applyPlan, emptySnapshot } from './simulated.ts';

test('500 services with 3,000 dependencies are reconciled in well under 100 ms', () => {
  const services: Record<string, Service> = {};
  for (let index = 0; index < 500; index++) {
    const depends_on: Record<string, Dependency> = {};
    for (let step = 1; step <= 6 && step <= index; step++) {
      depends_on[`s${(index * 7 + step * 13) % index}`] = { condition: 'service_started', required: true };
    }
    const environment = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`KEY_${n}`, `value ${n}`]));
    services[`s${index}`] = {
      image: 'a',
      command: null,
      entrypoint: null,
      environment,
      depends_on,
      networks: { default: null },
    };
  }
  const network: Network = { name: 'demo_default', ipam: {} };
  const project: Project = { name: 'demo', services, networks: { default: network }, volumes: {} };
  const plan = reconcile(project, emptySnapshot('demo'), { action: 'up' });
  const world: Snapshot = emptySnapshot('demo');
  // Applying in plan order keeps the simulation linear too: starts come after what they need.
  const applied = applyPlan({ ...project }, world, plan);
  for (let warm = 0; warm < 3; warm++) reconcile(project, applied, { action: 'up' });
  const before = performance.now();
  expect(reconcile(project, applied, { action: 'up' }).operations).toEqual([]);
  const changed = structuredClone(project);
  for (const service of Object.values(changed.services)) service.user = 'nobody';
  const compared = performance.now();
  const recreated = reconcile(changed, applied, { action: 'up' });
  const end = performance.now();
  expect(recreated.operations.length).toBe(2000);
  // Bounds with room for a busy machine; alone it takes about 10 ms.
  expect(compared - before).toBeLessThan(1000);
  expect(end - compared).toBeLessThan(1000);
});
