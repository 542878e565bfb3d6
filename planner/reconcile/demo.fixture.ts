/** The stacks that tests of reconcile plan, and their plans as text. */
import type { Project, Service } from '../../schemas/project.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { planText } from '../plan/plan.ts';
import type { ReconcileOptions } from './options.ts';
import { reconcile } from './reconcile.ts';
import { applyPlan, emptySnapshot } from './simulated.ts';

export const service = (fields: Partial<Service> = {}): Service => ({
  image: 'busybox',
  command: null,
  entrypoint: null,
  networks: { default: null },
  ...fields,
});

export function demo(services: Record<string, Partial<Service>>): Project {
  return {
    name: 'demo',
    services: Object.fromEntries(Object.entries(services).map(([name, fields]) => [name, service(fields)])),
    networks: { default: { name: 'demo_default', ipam: {} } },
    volumes: { data: { name: 'demo_data' } },
  };
}

export const healthy = { condition: 'service_healthy' as const, required: true };
export const started = { condition: 'service_started' as const, required: true };
export const completed = { condition: 'service_completed_successfully' as const, required: true };

export function up(project: Project, snapshot: Snapshot = emptySnapshot('demo')): Snapshot {
  return applyPlan(project, snapshot, reconcile(project, snapshot, { action: 'up' }));
}

/** What `stack plan` prints. */
export const text = (project: Project, snapshot: Snapshot, options: Partial<ReconcileOptions> = {}) =>
  planText(reconcile(project, snapshot, { action: 'up', ...options }));

/** Every operation with what it needs. */
export const operations = (project: Project, snapshot: Snapshot, options: Partial<ReconcileOptions> = {}) =>
  reconcile(project, snapshot, { action: 'up', ...options }).operations.map(
    ({ id, needs }) => `${id}${needs.length > 0 ? ` <- ${needs.join(', ')}` : ''}`,
  );

export const three = demo({
  db: {
    image: 'postgres:16',
    healthcheck: { test: ['CMD', 'true'] },
    volumes: [{ type: 'volume', source: 'data', target: '/var/lib' }],
  },
  cache: { image: 'redis:7' },
  web: { depends_on: { db: healthy, cache: started }, environment: { MODE: 'a' } },
});
