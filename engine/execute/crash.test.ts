/** Every effect of a run fails once, and the command dies once before every effect: what comes next converges. */
import { describe, expect, test } from 'vitest';
import type { ReconcileOptions } from '../../planner/reconcile/options.ts';
import { reconcile } from '../../planner/reconcile/reconcile.ts';
import type { ContainerRecord, ContainerStatus } from '../../schemas/container.ts';
import type { Project, Service, UpdateConfig } from '../../schemas/project.ts';
import type { Effects } from './effects.ts';
import { execute } from './execute.ts';
import { type Behaviour, Memory } from './memory.ts';

interface Stack {
  version?: string;
  web?: number;
  update?: UpdateConfig;
  isInternal?: boolean;
  without?: 'db' | 'job';
}

/** web waits for a database to be healthy and for a job to be done; beside them one that shares a network namespace. */
function demo({ version = 'one', web = 2, update, isInternal = false, without }: Stack = {}): Project {
  const common: Service = {
    image: `image:${version}`,
    command: null,
    entrypoint: null,
    networks: { default: null },
    environment: { VERSION: version },
  };
  const services: Record<string, Service> = {
    web: {
      ...common,
      depends_on: {
        db: { condition: 'service_healthy', required: true, restart: true },
        job: { condition: 'service_completed_successfully', required: true },
      },
      healthcheck: { test: ['CMD', 'true'] },
      deploy: { replicas: web, ...(update ? { update_config: update } : {}) },
    },
    db: {
      ...common,
      environment: {},
      image: 'database',
      healthcheck: { test: ['CMD', 'true'] },
      networks: { back: null },
      volumes: [{ type: 'volume', source: 'data', target: '/data' }],
    },
    job: { ...common, command: ['true'] },
    side: { ...common, networks: {}, network_mode: 'service:db' },
  };
  if (without) {
    delete services[without];
    delete services.web!.depends_on![without];
    if (without === 'db') delete services.side;
  }
  return {
    name: 'demo',
    services,
    networks: {
      default: { name: 'demo_default', ipam: {} },
      back: { name: 'demo_back', ipam: {}, internal: isInternal },
    },
    volumes: { data: { name: 'demo_data' } },
  };
}

const up = { action: 'up', removeOrphans: true } as const;
const down = { action: 'down', removeVolumes: true, removeOrphans: true } as const;
const scenarios: [name: string, before: Stack | undefined, after: Stack, options: ReconcileOptions][] = [
  ['the first up', undefined, {}, up],
  ['everything is made anew', {}, { version: 'two' }, up],
  ['a network is made anew', {}, { isInternal: true }, up],
  ['scaled up', {}, { web: 4 }, up],
  ['scaled down', { web: 4 }, { web: 1 }, up],
  ['scaled down and made anew', { web: 4 }, { web: 2, version: 'two' }, up],
  ['a service is gone', {}, { without: 'db' }, up],
  ['restart', {}, {}, { action: 'restart' }],
  ['stop', {}, {}, { action: 'stop' }],
  ['down', {}, {}, down],
  ...['start-first', 'stop-first'].flatMap((order) =>
    ['pause', 'continue', 'rollback'].map((failure_action): (typeof scenarios)[number] => {
      const update = { order, failure_action, parallelism: 2 };
      return [`${order} with ${failure_action}`, { web: 4, update }, { web: 4, version: 'two', update }, up];
    }),
  ),
];

const becomes = { job: { state: 'exited' as const, exitCode: 0, pid: 0 } };

interface Life {
  isOver: boolean;
}

const never = new Promise<never>(() => {});

/** Effects of a command that may be killed: from then on it hears nothing and does nothing. */
function mortal(effects: Effects, life: Life): Effects {
  const room = <R extends object>(target: R): R =>
    new Proxy(target, {
      get(_, key) {
        const verb: unknown = Reflect.get(target, key);
        if (typeof verb !== 'function') return verb;
        if (key === 'watch') {
          return (record: ContainerRecord, notify: (status: ContainerStatus) => void) =>
            effects.containers.watch(record, (status) => !life.isOver && notify(status));
        }
        if (key === 'status') return verb;
        return (...args: unknown[]) => (life.isOver ? never : Reflect.apply(verb, target, args));
      },
    });
  const { containers, images, networks, volumes, strays } = effects;
  return {
    containers: room(containers),
    images: room(images),
    networks: room(networks),
    volumes: room(volumes),
    strays: room(strays),
  };
}

async function run(
  memory: Memory,
  project: Project,
  options: ReconcileOptions,
  behaviour: Behaviour = {},
  life: Life = { isOver: false },
) {
  const snapshot = memory.snapshot();
  const plan = reconcile(project, snapshot, options);
  memory.behaviour = { becomes, ...behaviour };
  memory.calls = 0;
  const effects = async () => mortal(memory.effects, life);
  try {
    await execute({ plan, project, snapshot, effects, emit() {} });
  } finally {
    // Health that was about to come, comes.
    await new Promise(setImmediate);
    memory.behaviour = { becomes };
  }
}

async function prepared(before: Stack | undefined): Promise<Memory> {
  const memory = new Memory(demo(before));
  if (before) await run(memory, demo(before), up);
  return memory;
}

/** Names of the containers that run. */
const running = (memory: Memory) =>
  [...memory.containers.values()].flatMap(({ record, status }) => (status.state === 'running' ? [record.name] : []));

const places = (memory: Memory) => new Set(running(memory).filter((name) => name.startsWith('demo-web')));

async function expectConvergence(memory: Memory, project: Project): Promise<void> {
  await run(memory, project, up);
  const counts = Object.entries(project.services).flatMap(([name, { deploy }]) =>
    name === 'job' ? [] : Array.from({ length: deploy?.replicas ?? 1 }, (_, index) => `demo-${name}-${index + 1}`),
  );
  expect(running(memory).sort()).toEqual(counts.sort());
  expect(reconcile(project, memory.snapshot(), up).operations.map(({ id, cause }) => `${id}: ${cause}`)).toEqual([]);
}

async function expectNothingLeft(memory: Memory, project: Project): Promise<void> {
  await run(memory, project, down);
  const { containers, networks, volumes, strays } = memory.snapshot();
  expect({ containers, networks, volumes, strays }).toEqual({ containers: [], networks: [], volumes: [], strays: [] });
}

/** A memory that dies before call number `at`: no effect takes place any more. False: the run was over before. */
async function dieAt(memory: Memory, project: Project, options: ReconcileOptions, at: number): Promise<boolean> {
  const death = Promise.withResolvers<'dead'>();
  const life = { isOver: false };
  const onCall = (count: number, what: string) => {
    if (count < at) return;
    // A container that was being made has its directory and no record.
    if (/^create demo-/.test(what)) {
      memory.strays.push({ kind: 'container', name: `${count}`.padStart(12, '0').padEnd(64, 'e') });
    }
    life.isOver = true;
    death.resolve('dead');
    return never;
  };
  const ended = await Promise.race([run(memory, project, options, { onCall }, life), death.promise]);
  // What the monitors had been told before, they do.
  await new Promise(setImmediate);
  return ended === 'dead';
}

describe.each(scenarios)('%s', (_, before, after, options) => {
  const project = demo(after);
  const isInPlace = options.action === 'up' && before?.isInternal === after.isInternal;

  test('killed before each effect', async () => {
    let at = 1;
    for (; ; at++) {
      const memory = await prepared(before);
      if (!(await dieAt(memory, project, options, at))) break;
      const isRolling = after.update?.order === 'start-first';
      if (isRolling) expect([at, places(memory).size]).toEqual([at, 4]);
      // Half of the time the way is forward first, half of the time straight back.
      if (at % 2 === 0) await expectConvergence(memory, project);
      await expectNothingLeft(memory, project);
    }
    expect(at).toBeGreaterThan(options.action === 'up' ? 3 : 2);
  });

  test('each effect fails', async () => {
    for (let at = 1; ; at++) {
      const memory = await prepared(before);
      const had = places(memory);
      let hasFailed = false;
      const onCall = (count: number, what: string) => {
        if (count !== at) return;
        hasFailed = true;
        throw new Error(`failed: ${what}`);
      };
      await run(memory, project, options, { onCall }).catch(() => {});
      if (!hasFailed) break;
      if (before && isInPlace && (after.web ?? 2) >= had.size) {
        const lost = [...had].filter((name) => !places(memory).has(name));
        expect([at, lost]).toEqual([at, []]);
      }
      const names = [...memory.containers.values()].map(({ record }) => record.name);
      expect([at, names.length]).toEqual([at, new Set(names).size]);
      if (at % 2 === 0) await expectConvergence(memory, project);
      await expectNothingLeft(memory, project);
    }
  });

  test('each effect fails, and then the command is killed while it takes back', async () => {
    for (let at = 1; ; at += 2) {
      const memory = await prepared(before);
      let hasFailed = false;
      const dies = at + 1 + (at % 3);
      const life = { isOver: false };
      const death = Promise.withResolvers<void>();
      const onCall = (count: number, what: string) => {
        if (count === at) {
          hasFailed = true;
          throw new Error(`failed: ${what}`);
        }
        if (count < dies) return;
        life.isOver = true;
        death.resolve();
        return never;
      };
      await Promise.race([run(memory, project, options, { onCall }, life).catch(() => {}), death.promise]);
      await new Promise(setImmediate);
      if (!hasFailed) break;
      if (at % 4 === 1) await expectConvergence(memory, project);
      await expectNothingLeft(memory, project);
    }
  });
});
