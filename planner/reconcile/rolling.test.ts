import { expect, test } from 'vitest';
import type { Project, Service, UpdateConfig } from '../../schemas/project.ts';
import { planText } from '../plan/plan.ts';
import { reconcile } from './reconcile.ts';
import { applyPlan, emptySnapshot } from './simulated.ts';

function demo(update_config: UpdateConfig, fields: Partial<Service> = {}, more: Record<string, Service> = {}): Project {
  const common = { image: 'busybox', command: null, entrypoint: null };
  const deploy = { replicas: 3, update_config };
  return {
    name: 'demo',
    services: { web: { ...common, networks: { default: null }, deploy, ...fields }, ...more },
    networks: { default: { name: 'demo_default', ipam: {} } },
    volumes: {},
  };
}

function replan(update: UpdateConfig, fields: Partial<Service> = {}, more: Record<string, Service> = {}) {
  const before = demo(update, fields, more);
  const empty = emptySnapshot('demo');
  const world = applyPlan(before, empty, reconcile(before, empty, { action: 'up' }));
  return reconcile(demo(update, { ...fields, user: 'nobody' }, more), world, { action: 'up' });
}

const operations = (update: UpdateConfig, fields: Partial<Service> = {}) =>
  replan(update, fields).operations.map(({ id, needs }) => `${id}${needs.length > 0 ? ` <- ${needs.join(', ')}` : ''}`);

test('stop-first, two at once', () => {
  expect(operations({ parallelism: 2 })).toMatchInlineSnapshot(`
    [
      "stop container demo-web-1",
      "create container demo-web-1 <- stop container demo-web-1",
      "start container demo-web-1 <- create container demo-web-1",
      "stop container demo-web-2",
      "create container demo-web-2 <- stop container demo-web-2",
      "start container demo-web-2 <- create container demo-web-2",
      "monitor service web, batch 1 of 2 <- start container demo-web-1, start container demo-web-2",
      "stop container demo-web-3 <- monitor service web, batch 1 of 2",
      "create container demo-web-3 <- monitor service web, batch 1 of 2, stop container demo-web-3",
      "start container demo-web-3 <- create container demo-web-3",
      "monitor service web, batch 2 of 2 <- start container demo-web-3",
      "remove container demo-web-1 <- monitor service web, batch 1 of 2",
      "remove container demo-web-2 <- monitor service web, batch 1 of 2",
      "remove container demo-web-3 <- monitor service web, batch 2 of 2",
    ]
  `);
});

test('start-first, going back possible to the end', () => {
  expect(operations({ order: 'start-first', parallelism: 2, failure_action: 'rollback' })).toMatchInlineSnapshot(`
    [
      "create container demo-web-1",
      "start container demo-web-1 <- create container demo-web-1",
      "create container demo-web-2",
      "start container demo-web-2 <- create container demo-web-2",
      "monitor service web, batch 1 of 2 <- start container demo-web-1, start container demo-web-2",
      "stop container demo-web-1 <- monitor service web, batch 1 of 2",
      "stop container demo-web-2 <- monitor service web, batch 1 of 2",
      "create container demo-web-3 <- monitor service web, batch 1 of 2",
      "start container demo-web-3 <- create container demo-web-3",
      "monitor service web, batch 2 of 2 <- start container demo-web-3",
      "stop container demo-web-3 <- monitor service web, batch 2 of 2",
      "remove container demo-web-1 <- stop container demo-web-1, monitor service web, batch 2 of 2",
      "remove container demo-web-2 <- stop container demo-web-2, monitor service web, batch 2 of 2",
      "remove container demo-web-3 <- stop container demo-web-3, monitor service web, batch 2 of 2",
    ]
  `);
});

test('as text', () => {
  expect(planText(replan({ parallelism: 2, order: 'start-first' }))).toMatchInlineSnapshot(`
    "~ recreate container demo-web-1               because services.web.user: (none) → "nobody"  (loses its writable layer)
    ~ recreate container demo-web-2               because services.web.user: (none) → "nobody"  (loses its writable layer)
      watch batch 1 of 2: demo-web-1, demo-web-2  because the old ones stay until it holds
    ~ recreate container demo-web-3               because services.web.user: (none) → "nobody"  (loses its writable layer)
      watch batch 2 of 2: demo-web-3              because the old ones stay until it holds
    Plan: 3 to recreate."
  `);
});

test('what one container alone can have keeps old and new from running beside each other', () => {
  const warnings = (fields: Partial<Service>) => replan({ order: 'start-first' }, fields).warnings;
  const port = (published: string) => ({ ports: [{ target: 80, published, protocol: 'tcp' }] });
  expect(warnings(port('8080-8082'))).toEqual([
    'services.web: host port 8080-8082 is too little for 4 containers at once: its containers are replaced stop-first, not start-first.',
  ]);
  expect(warnings(port('8080-8083'))).toEqual([]);
  expect(warnings({ ports: [{ target: 80, protocol: 'tcp' }] })).toEqual([]);
  const one = {
    deploy: { update_config: { order: 'start-first' } },
    networks: { default: { ipv4_address: '10.0.0.9' } },
  };
  expect(warnings(one)).toEqual([expect.stringContaining('10.0.0.9 on network default can be one container')]);
});

test('the ports of containers that stay are no more free than those of the old ones', () => {
  const project = demo({ order: 'start-first' }, { ports: [{ target: 80, published: '8080-8082', protocol: 'tcp' }] });
  const empty = emptySnapshot('demo');
  const world = applyPlan(project, empty, reconcile(project, empty, { action: 'up' }));
  world.containers[0]!.record.config.user = 'old';
  const { warnings } = reconcile(project, world, { action: 'up' });
  expect(warnings).toEqual([expect.stringContaining('host port 8080-8082 is too little for 4 containers at once')]);
});

test('all at once where nothing could go on meanwhile: a network namespace that is shared, a job, --no-start', () => {
  const common = { image: 'busybox', command: null, entrypoint: null };
  const kinds = (more: Record<string, Service>, fields: Partial<Service> = {}) =>
    replan({}, fields, more).operations.map(({ kind }) => kind);
  expect(kinds({})).toContain('update.monitor');
  expect(kinds({ side: { ...common, network_mode: 'service:web' } })).not.toContain('update.monitor');
  for (const attribute of ['ipc', 'pid'] as const) {
    expect(kinds({ side: { ...common, [attribute]: 'service:web' } })).not.toContain('update.monitor');
    expect(kinds({ base: common }, { [attribute]: 'service:base' })).not.toContain('update.monitor');
  }
  // Volumes outlive their containers.
  expect(kinds({ side: { ...common, volumes_from: ['web'] } })).toContain('update.monitor');
  const waits = { depends_on: { web: { condition: 'service_completed_successfully' as const, required: true } } };
  expect(kinds({ last: { ...common, ...waits } }, { command: ['true'] })).not.toContain('update.monitor');
  const changed = demo({}, { user: 'nobody' });
  const empty = emptySnapshot('demo');
  const world = applyPlan(demo({}), empty, reconcile(demo({}), empty, { action: 'up' }));
  const created = reconcile(changed, world, { action: 'up', noStart: true });
  expect(created.operations.map(({ kind }) => kind)).not.toContain('update.monitor');
});

test.each<[UpdateConfig, RegExp]>([
  [{ parallelism: -1 }, /parallelism cannot be -1/],
  [{ order: 'both' }, /order cannot be "both"/],
  [{ failure_action: 'cry' }, /failure_action cannot be "cry"/],
  [{ max_failure_ratio: 2 }, /max_failure_ratio cannot be 2/],
  [{ delay: 'soon' }, /delay cannot be "soon"/],
])('%j is refused', (update, words) => {
  // With the first up already, which has nothing to replace.
  expect(() => reconcile(demo(update), emptySnapshot('demo'), { action: 'up' })).toThrow(words);
});

test('rollback is no failure action of a rollback', () => {
  const fields = { deploy: { replicas: 2, update_config: {}, rollback_config: { failure_action: 'rollback' } } };
  expect(() => replan({}, fields)).toThrow(/rollback_config.failure_action cannot be "rollback"/);
});
