import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StackError } from '../../schemas/errors.ts';
import type { Dependency, Project, Service } from '../../schemas/project.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import type { ReconcileOptions } from './options.ts';
import { reconcile } from './reconcile.ts';
import { applyPlan, emptySnapshot, statusOf } from './simulated.ts';

const names = ['api', 'cache', 'db', 'job', 'proxy', 'queue', 'web', 'worker'];

/** A stack of up to eight services. Service n depends on some of those before it; `job` may be one that completes. */
const projects: fc.Arbitrary<Project> = fc
  .record({
    services: fc.array(
      fc.record({
        image: fc.constantFrom('a:1', 'b:1', 'c:2'),
        environment: fc.dictionary(fc.constantFrom('A', 'B'), fc.constantFrom('x', 'y')),
        scale: fc.integer({ min: 0, max: 3 }),
        isJob: fc.boolean(),
        hasHealthcheck: fc.boolean(),
        networks: fc.subarray(['default', 'back']),
        volumes: fc.subarray(['data', 'logs']),
        sharesWithFirst: fc.boolean(),
        update: fc.option(
          fc.record({
            parallelism: fc.integer({ min: 0, max: 2 }),
            order: fc.constantFrom('start-first', 'stop-first'),
            failure_action: fc.constantFrom('pause', 'continue', 'rollback'),
          }),
          { nil: undefined },
        ),
        needs: fc.array(fc.record({ index: fc.nat(7), restart: fc.boolean(), isStrict: fc.boolean() })),
      }),
      { minLength: 1, maxLength: names.length },
    ),
    internal: fc.boolean(),
    driver: fc.constantFrom('local', 'other'),
    label: fc.constantFrom('x', 'y'),
  })
  .map(({ services, internal, label, driver }) => {
    const project: Project = {
      name: 'demo',
      services: {},
      networks: {
        default: { name: 'demo_default', ipam: {}, labels: { label } },
        back: { name: 'demo_back', ipam: {}, internal },
      },
      volumes: { data: { name: 'demo_data', driver }, logs: { name: 'demo_logs', labels: { label } } },
    };
    for (const [index, spec] of services.entries()) {
      const depends_on: Record<string, Dependency> = {};
      for (const { index: to, restart, isStrict } of spec.needs) {
        const target = services[to];
        if (to >= index || !target) continue;
        const condition =
          !isStrict || (!target.isJob && !target.hasHealthcheck)
            ? 'service_started'
            : target.isJob
              ? 'service_completed_successfully'
              : 'service_healthy';
        depends_on[names[to]!] = { condition, required: true, restart };
      }
      // A job's network ends with it: nothing can share it.
      const shares = spec.sharesWithFirst && index > 0 && services[0]!.scale > 0 && !services[0]!.isJob;
      project.services[names[index]!] = {
        image: spec.image,
        command: spec.isJob ? ['true'] : null,
        entrypoint: null,
        environment: spec.environment,
        scale: spec.scale,
        ...(shares
          ? { network_mode: `service:${names[0]}` }
          : { networks: Object.fromEntries(spec.networks.map((key) => [key, null])) }),
        volumes: spec.volumes.map((source) => ({ type: 'volume', source, target: `/${source}` })),
        depends_on,
        ...(spec.update && !spec.isJob ? { deploy: { update_config: spec.update } } : {}),
        ...(spec.hasHealthcheck && !spec.isJob ? { healthcheck: { test: ['CMD', 'true'] } } : {}),
      } satisfies Service;
    }
    return project;
  });

/** What may have happened to a stack since its last up. */
const mishaps = fc.array(
  fc.record({
    what: fc.constantFrom(
      ...['died', 'exited', 'removed', 'bridge', 'unrecorded', 'stray', 'moved', 'twin', 'stopped'],
      ...['drift', 'folder', 'lost volume'],
    ),
    at: fc.nat(30),
  }),
  { maxLength: 6 },
);

function befall(snapshot: Snapshot, happened: { what: string; at: number }[]): Snapshot {
  const world = structuredClone(snapshot);
  for (const [index, { what, at }] of happened.entries()) {
    const container = world.containers[at % Math.max(1, world.containers.length)];
    const network = world.networks[at % Math.max(1, world.networks.length)];
    if (what === 'stray') world.strays.push({ kind: 'cgroup', name: `/stack/demo/${at}` });
    if (what === 'bridge' && network) network.exists = false;
    if (what === 'unrecorded') world.networks = world.networks.filter((other) => other !== network);
    if (what === 'drift' && network?.exists) network.drift = ['its bridge is down'];
    const volume = world.volumes[at % Math.max(1, world.volumes.length)];
    if (what === 'folder' && volume) volume.isContentGone = true;
    if (what === 'lost volume') world.volumes = world.volumes.filter((other) => other !== volume);
    if (!container) continue;
    if (what === 'died') container.status = statusOf({ state: 'dead', pid: 0 });
    if (what === 'exited') container.status = statusOf({ state: 'exited', exitCode: at, pid: 0 });
    if (what === 'stopped') container.status = statusOf({ state: 'exited', isStopRequested: true, pid: 0 });
    if (what === 'removed') world.containers = world.containers.filter((other) => other !== container);
    if (what === 'moved') container.record.image.id = 'sha256:moved';
    if (what === 'twin') {
      const twin = structuredClone(container);
      Object.assign(twin.record, {
        id: `${index}`.padEnd(64, 'e'),
        createdAt: '2020-01-01T00:00:00Z',
      });
      twin.status = statusOf({ state: 'exited', isStopRequested: true, pid: 0 });
      world.containers.push(twin);
    }
  }
  return world;
}

/** Jobs nobody waits for are started by every up, as compose has it. */
function withoutLoneJobs(project: Project): Project {
  const awaited = new Set(
    Object.values(project.services).flatMap((service) =>
      Object.entries(service.depends_on ?? {}).flatMap(([to, { condition }]) =>
        condition === 'service_completed_successfully' ? [to] : [],
      ),
    ),
  );
  for (const [name, service] of Object.entries(project.services)) {
    if (!awaited.has(name)) service.command = null;
  }
  return project;
}

const reversed = <T>(value: T): T =>
  JSON.parse(JSON.stringify(value), (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).reverse())
      : part,
  ) as T;

const picks = fc.infiniteStream(fc.nat());
const chooser = (stream: Iterator<number>) => (ready: number) => stream.next().value! % ready;
const runs = { numRuns: 200 };

test('plan ∘ apply is empty, from any state, in any order the needs allow', () => {
  fc.assert(
    fc.property(projects, projects, mishaps, picks, (before, after, happened, stream) => {
      withoutLoneJobs(after);
      const options: ReconcileOptions = { action: 'up', removeOrphans: true, recreateVolumes: ['data'] };
      const empty = emptySnapshot('demo');
      const first = befall(applyPlan(before, empty, reconcile(before, empty, options), chooser(stream)), happened);
      const second = applyPlan(after, first, reconcile(after, first, options), chooser(stream));
      expect(reconcile(after, second, options).operations.map(({ id, cause }) => `${id}: ${cause}`)).toEqual([]);
    }),
    runs,
  );
});

test('killed after any step of up or down: the next up and the next down converge', () => {
  fc.assert(
    fc.property(projects, projects, fc.nat(40), fc.boolean(), picks, (before, after, steps, isDown, stream) => {
      withoutLoneJobs(after);
      const empty = emptySnapshot('demo');
      const up: ReconcileOptions = { action: 'up', removeOrphans: true, recreateVolumes: ['data'] };
      const down = { action: 'down', removeOrphans: true, removeVolumes: true } as const;
      const first = applyPlan(before, empty, reconcile(before, empty, up), chooser(stream));
      const killed = isDown
        ? applyPlan(before, first, reconcile(before, first, down), chooser(stream), steps)
        : applyPlan(after, first, reconcile(after, first, up), chooser(stream), steps);
      const converged = applyPlan(after, killed, reconcile(after, killed, up), chooser(stream));
      expect(reconcile(after, converged, up).operations.map(({ id, cause }) => `${id}: ${cause}`)).toEqual([]);
      const gone = applyPlan(after, killed, reconcile(after, killed, down), chooser(stream));
      expect({ ...gone, images: [] }).toEqual(empty);
    }),
    runs,
  );
});

test('down undoes up, in any order the needs allow', () => {
  fc.assert(
    fc.property(projects, mishaps, picks, (project, happened, stream) => {
      const empty = emptySnapshot('demo');
      const world = befall(applyPlan(project, empty, reconcile(project, empty, { action: 'up' })), happened);
      const down = reconcile(project, world, { action: 'down', removeVolumes: true });
      const after = applyPlan(project, world, down, chooser(stream));
      expect({ ...after, images: [] }).toEqual(empty);
    }),
    runs,
  );
});

test('up deletes no volume unless a flag names it', () => {
  fc.assert(
    fc.property(projects, projects, mishaps, fc.boolean(), (before, after, happened, isNamed) => {
      const empty = emptySnapshot('demo');
      const world = befall(applyPlan(before, empty, reconcile(before, empty, { action: 'up' })), happened);
      const options = { action: 'up' as const, removeOrphans: true, ...(isNamed ? { recreateVolumes: ['data'] } : {}) };
      let removed: string[];
      try {
        const { operations } = reconcile(after, world, options);
        removed = operations.flatMap((one) => (one.kind === 'volume.remove' ? [one.record.name] : []));
      } catch (error) {
        // The definition changed: the other answer there is.
        expect([(error as StackError).code, isNamed]).toEqual(['volume.changed', false]);
        return;
      }
      expect(removed.filter((name) => name !== 'demo_data' || !isNamed)).toEqual([]);
    }),
    runs,
  );
});

test('start undoes stop, and restart comes back to the same', () => {
  fc.assert(
    fc.property(projects, picks, (project, stream) => {
      withoutLoneJobs(project);
      const empty = emptySnapshot('demo');
      const world = applyPlan(project, empty, reconcile(project, empty, { action: 'up' }));
      const runsIn = (snapshot: Snapshot) =>
        snapshot.containers.map(({ record, status }) => `${record.name} ${status.state}`).sort();
      const stopped = applyPlan(project, world, reconcile(project, world, { action: 'stop' }), chooser(stream));
      expect(runsIn(stopped).filter((line) => line.endsWith(' running'))).toEqual([]);
      const named = Object.keys(project.services).filter((name) => project.services[name]!.scale);
      if (named.length === 0) return;
      const start = { action: 'start', services: named } as const;
      expect(runsIn(applyPlan(project, stopped, reconcile(project, stopped, start), chooser(stream)))).toEqual(
        runsIn(world),
      );
      const restart = { action: 'restart', services: named } as const;
      expect(runsIn(applyPlan(project, world, reconcile(project, world, restart), chooser(stream)))).toEqual(
        runsIn(world),
      );
    }),
    runs,
  );
});

test('a plan does not depend on the order of keys, nor on that of what was observed', () => {
  fc.assert(
    fc.property(projects, projects, mishaps, (before, after, happened) => {
      const empty = emptySnapshot('demo');
      const world = befall(applyPlan(before, empty, reconcile(before, empty, { action: 'up' })), happened);
      const turned: Snapshot = {
        ...reversed(world),
        containers: reversed(world).containers.reverse(),
        networks: reversed(world).networks.reverse(),
        volumes: reversed(world).volumes.reverse(),
      };
      for (const action of ['up', 'down', 'stop'] as const) {
        const options = { action, removeOrphans: true, recreateVolumes: ['data'] };
        expect(reconcile(reversed(after), turned, options)).toEqual(reconcile(after, world, options));
      }
    }),
    runs,
  );
});

test('needs name operations of the plan and make no circle', () => {
  fc.assert(
    fc.property(projects, projects, mishaps, fc.subarray(names), (before, after, happened, chosen) => {
      const empty = emptySnapshot('demo');
      const world = befall(applyPlan(before, empty, reconcile(before, empty, { action: 'up' })), happened);
      const services = chosen.filter((name) => Object.hasOwn(after.services, name));
      const plan = reconcile(after, world, {
        action: 'up',
        services,
        removeOrphans: true,
        recreateVolumes: ['data'],
      });
      const ids = new Set(plan.operations.map(({ id }) => id));
      expect(ids.size).toBe(plan.operations.length);
      for (const { needs } of plan.operations) for (const need of needs) expect(ids).toContain(need);
      applyPlan(after, world, plan);
    }),
    runs,
  );
});
