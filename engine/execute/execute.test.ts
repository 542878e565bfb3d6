import { expect, test, vi } from 'vitest';
import type { ReconcileOptions } from '../../planner/reconcile/options.ts';
import { reconcile } from '../../planner/reconcile/reconcile.ts';
import { StackError } from '../../schemas/errors.ts';
import type { EngineEvent } from '../../schemas/events.ts';
import type { Project, Service } from '../../schemas/project.ts';
import { execute } from './execute.ts';
import { type Behaviour, Memory } from './memory.ts';

const service = (fields: Partial<Service> = {}): Service => ({
  image: 'busybox',
  command: null,
  entrypoint: null,
  networks: { default: null },
  ...fields,
});

const healthy = { condition: 'service_healthy' as const, required: true };
const probed = { healthcheck: { test: ['CMD', 'true'] } };

function demo(services: Record<string, Partial<Service>>): Project {
  return {
    name: 'demo',
    services: Object.fromEntries(Object.entries(services).map(([name, fields]) => [name, service(fields)])),
    networks: { default: { name: 'demo_default', ipam: {} } },
    volumes: { data: { name: 'demo_data' } },
  };
}

const chain = demo({
  db: { ...probed, volumes: [{ type: 'volume', source: 'data', target: '/data' }] },
  api: { depends_on: { db: healthy } },
  web: { depends_on: { api: { condition: 'service_started', required: true } } },
});

interface Attempt {
  error?: StackError;
  events: EngineEvent[];
}

async function run(
  memory: Memory,
  project: Project,
  options: ReconcileOptions = { action: 'up' },
  behaviour: Behaviour = {},
  more: { signal?: AbortSignal; waitTimeoutMs?: number; parallel?: number } = {},
): Promise<Attempt> {
  const snapshot = memory.snapshot();
  const plan = reconcile(project, snapshot, options);
  const events: EngineEvent[] = [];
  memory.behaviour = behaviour;
  try {
    await execute({
      plan,
      project,
      snapshot,
      effects: async () => memory.effects,
      emit: (event) => events.push(event),
      ...more,
    });
    return { events };
  } catch (error) {
    return { error: error as StackError, events };
  } finally {
    memory.behaviour = {};
  }
}

const states = (memory: Memory) =>
  [...memory.containers.values()].map(({ record, status }) => `${record.name} ${status.state}`).sort();

test('up brings everything up in the order of dependencies, a second time does nothing', async () => {
  const memory = new Memory(chain);
  const { error, events } = await run(memory, chain);
  expect(error).toBeUndefined();
  expect(memory.log.filter((line) => line.startsWith('start'))).toEqual([
    'start demo-db-1',
    'start demo-api-1',
    'start demo-web-1',
  ]);
  expect(events.filter(({ type }) => type === 'done')).toHaveLength(10);
  memory.log.length = 0;
  await run(memory, chain);
  expect(memory.log).toEqual([]);
});

test('what does not depend on each other runs at once', async () => {
  const memory = new Memory(demo({ a: {}, b: {}, c: {} }));
  let open = 0;
  let most = 0;
  const { create } = memory.effects.containers;
  memory.effects.containers.create = async (request) => {
    most = Math.max(most, ++open);
    const record = await create(request);
    open--;
    return record;
  };
  await run(memory, demo({ a: {}, b: {}, c: {} }));
  expect(most).toBe(3);
});

test('only starts wait for dependencies: all is made before the first health is known', async () => {
  const memory = new Memory(chain);
  const { error } = await run(memory, chain);
  expect(error).toBeUndefined();
  const at = (line: string) => memory.log.indexOf(line);
  const [network, volume] = [at('create network demo_default'), at('create volume demo_data')];
  // The image is pulled beside both, containers are made once their own parts are there, in no order of their own.
  expect([at('pull busybox'), network, volume].sort()).toEqual([0, 1, 2]);
  const creates = ['db', 'api', 'web'].map((name) => at(`create demo-${name}-1`));
  expect(Math.max(...creates)).toBeLessThan(at('start demo-api-1'));
  expect(at('start demo-db-1')).toBeLessThan(at('start demo-api-1'));
  expect(at('start demo-api-1')).toBeLessThan(at('start demo-web-1'));
});

test('restart: true stops at once and starts when the other one is there again', async () => {
  const project = structuredClone(chain);
  project.services.api!.depends_on!.db!.restart = true;
  const memory = new Memory(project);
  await run(memory, project);
  memory.log.length = 0;
  const changed = structuredClone(project);
  changed.services.db!.user = 'nobody';
  await run(memory, changed);
  // What only waits for api is left alone: compose restarts nobody who does not ask for it.
  expect(memory.log.filter((line) => line.includes('web'))).toEqual([]);
  expect(memory.log.slice(0, 2).sort()).toEqual(['stop demo-api-1', 'stop demo-db-1']);
  expect(memory.log.indexOf('start demo-api-1')).toBeGreaterThan(memory.log.indexOf('start demo-db-1'));
});

test('one at once with --parallel 1, and all gets done', async () => {
  const memory = new Memory(chain);
  let open = 0;
  let most = 0;
  const onCall = async () => {
    most = Math.max(most, ++open);
    await new Promise(setImmediate);
    open--;
  };
  const { error } = await run(memory, chain, { action: 'up' }, { onCall }, { parallel: 1 });
  expect([error, most]).toEqual([undefined, 1]);
  expect(states(memory)).toEqual(['demo-api-1 running', 'demo-db-1 running', 'demo-web-1 running']);
});

test('a run ends with why it took as long as it did', async () => {
  const memory = new Memory(chain);
  const { events } = await run(memory, chain);
  const [timings, ...more] = events.filter((event) => event.type === 'timings');
  expect(more).toEqual([]);
  expect(timings!.criticalPath.slice(-4).map(({ id, waitedFor }) => [id, waitedFor])).toEqual([
    ['start container demo-db-1', expect.stringContaining('create container demo-db-1')],
    ['await service db healthy', 'start container demo-db-1'],
    ['start container demo-api-1', 'await service db healthy'],
    ['start container demo-web-1', 'start container demo-api-1'],
  ]);
});

test('an unhealthy dependency is told as a chain, with what it wrote and what is left', async () => {
  const memory = new Memory(chain);
  const becomes = { db: { health: 'unhealthy' as const, probeExitCode: 2, probeOutput: 'trying\nno route\n' } };
  const { error, events } = await run(memory, chain, { action: 'up' }, { becomes });
  expect(error?.code).toBe('plan.dependency');
  expect(error?.message).toBe(
    'web ← api ← demo-db-1 unhealthy: probe exit 2 "no route"\n  demo-db-1 | last words of db',
  );
  expect(error?.hint).toBe(
    '`stack logs db` shows what it wrote. Taken back: removed container demo-api-1, container demo-web-1. Left running: demo-db-1; `stack down` removes it.',
  );
  expect(states(memory)).toEqual(['demo-db-1 running']);
  expect(events.filter(({ type }) => type === 'skipped').map((event) => 'id' in event && event.id)).toEqual([
    'start container demo-api-1',
    'start container demo-web-1',
  ]);
});

test('a dependency that is not required only warns', async () => {
  const project = demo({ db: probed, web: { depends_on: { db: { ...healthy, required: false } } } });
  const memory = new Memory(project);
  const becomes = { db: { state: 'exited' as const, exitCode: 3 } };
  const { error, events } = await run(memory, project, { action: 'up' }, { becomes });
  expect(error).toBeUndefined();
  expect(events.flatMap((event) => (event.type === 'warning' ? event.error.message : []))).toEqual([
    'demo-db-1 exited with 3',
  ]);
  expect(states(memory)).toEqual(['demo-db-1 exited', 'demo-web-1 running']);
});

test('an image that cannot be had changes nothing', async () => {
  const project = demo({ a: {}, b: { image: 'missing' } });
  const memory = new Memory(project);
  const { error } = await run(memory, project);
  expect(error?.code).toBe('image.not-found');
  expect([states(memory), memory.networks.size]).toEqual([[], 0]);
});

/** Pulls of the image `slow` end when the test says so. */
function slowPull(memory: Memory) {
  const { promise, resolve: arrive, reject: fail } = Promise.withResolvers<void>();
  const { pull } = memory.effects.images;
  memory.effects.images.pull = async (name, options) => {
    if (name === 'slow') await promise;
    await pull(name, options);
  };
  return { arrive, fail };
}

const logged = (memory: Memory, line: string) => vi.waitFor(() => expect(memory.log).toContain(line));

test('a service starts as soon as its own image is there, networks and volumes are made meanwhile', async () => {
  const project = demo({ quick: {}, slow: { image: 'slow', volumes: chain.services.db!.volumes! } });
  const memory = new Memory(project);
  const { arrive } = slowPull(memory);
  const running = run(memory, project);
  await logged(memory, 'start demo-quick-1');
  expect(memory.log).toEqual(expect.arrayContaining(['create network demo_default', 'create volume demo_data']));
  expect(memory.log).not.toContain('create demo-slow-1');
  arrive();
  expect((await running).error).toBeUndefined();
  expect(states(memory)).toEqual(['demo-quick-1 running', 'demo-slow-1 running']);
});

test('what exists is not touched before every image is there; where one cannot be had, all that was made goes', async () => {
  const before = demo({ old: {} });
  const memory = new Memory(before);
  await run(memory, before);
  const project = demo({ old: { user: 'nobody' }, quick: {}, slow: { image: 'slow' } });
  const { fail } = slowPull(memory);
  const running = run(memory, project);
  await logged(memory, 'start demo-quick-1');
  expect(memory.log).not.toContain('stop demo-old-1');
  fail(new StackError('image.not-found', { message: 'There is no image slow.' }));
  const { error } = await running;
  expect([error?.code, error?.hint]).toEqual(['image.not-found', 'Taken back: removed container demo-quick-1.']);
  expect(states(memory)).toEqual(['demo-old-1 running']);
  expect(memory.log).not.toContain('stop demo-old-1');
});

test('waiting ends after its time', async () => {
  const memory = new Memory(chain);
  const { error } = await run(
    memory,
    chain,
    { action: 'up' },
    { becomes: { db: { health: 'starting' } } },
    { waitTimeoutMs: 20 },
  );
  expect(error?.message).toContain('demo-db-1 was not up after 0.02 s: it is starting');
});

/** Makes every call fail in turn. Answers how many there were. */
async function failEverywhere(
  prepare: (memory: Memory) => Promise<void>,
  project: Project,
  options: ReconcileOptions,
  check: (memory: Memory, error: StackError, at: number) => Promise<void>,
): Promise<number> {
  for (let at = 1; ; at++) {
    const memory = new Memory(project);
    await prepare(memory);
    memory.calls = 0;
    let hasFailed = false;
    const onCall = (count: number, what: string) => {
      if (count !== at) return;
      hasFailed = true;
      throw new Error(`failed: ${what}`);
    };
    const { error } = await run(memory, project, options, { onCall });
    if (!hasFailed) return at - 1;
    await check(memory, error!, at);
  }
}

test('up, failing at every step: nothing half made stays, and the next up converges', async () => {
  const steps = await failEverywhere(
    async () => {},
    chain,
    { action: 'up' },
    async (memory, error, at) => {
      expect(error.message, `step ${at}`).toContain('failed: ');
      // What is there was started, and what was started has its network and volume.
      expect(states(memory).filter((line) => !line.endsWith(' running'))).toEqual([]);
      if (memory.containers.size === 0) expect([memory.networks.size, memory.volumes.size]).toEqual([0, 0]);
      else expect([...memory.networks.keys()]).toEqual(['demo_default']);
      expect((await run(memory, chain)).error).toBeUndefined();
      expect(states(memory)).toEqual(['demo-api-1 running', 'demo-db-1 running', 'demo-web-1 running']);
      await run(memory, chain, { action: 'down', removeVolumes: true });
      expect([memory.containers.size, memory.networks.size, memory.volumes.size]).toEqual([0, 0, 0]);
    },
  );
  expect(steps).toBe(9);
});

test('a replacement, failing at every step: the old container or the new one runs', async () => {
  const changed = structuredClone(chain);
  changed.services.db!.user = 'nobody';
  changed.services.api!.user = 'nobody';
  const steps = await failEverywhere(
    async (memory) => void (await run(memory, chain)),
    changed,
    { action: 'up' },
    async (memory, _, at) => {
      const running = states(memory).filter((line) => line.endsWith(' running'));
      expect(running, `step ${at}`).toEqual(['demo-api-1 running', 'demo-db-1 running', 'demo-web-1 running']);
      expect((await run(memory, changed)).error).toBeUndefined();
      expect(states(memory)).toEqual(['demo-api-1 running', 'demo-db-1 running', 'demo-web-1 running']);
      expect([...memory.containers.values()].map(({ record }) => record.config.user)).toContain('nobody');
      expect(reconcile(changed, memory.snapshot(), { action: 'up' }).operations).toEqual([]);
    },
  );
  expect(steps).toBe(8);
});

test('down, failing at every step: all the rest goes, and the next down takes what is left', async () => {
  const steps = await failEverywhere(
    async (memory) => void (await run(memory, chain)),
    chain,
    { action: 'down', removeVolumes: true },
    async (memory) => {
      expect((await run(memory, chain, { action: 'down', removeVolumes: true })).error).toBeUndefined();
      expect([memory.containers.size, memory.networks.size, memory.volumes.size]).toEqual([0, 0, 0]);
    },
  );
  expect(steps).toBe(8);
});

test('down goes on where other stacks use a network', async () => {
  const memory = new Memory(chain);
  await run(memory, chain);
  const onCall = (_: number, what: string) => {
    if (what === 'remove network demo_default') throw new StackError('network.in-use', { message: 'In use.' });
  };
  const { error, events } = await run(memory, chain, { action: 'down', removeVolumes: true }, { onCall });
  expect(error).toBeUndefined();
  expect(events.flatMap((event) => (event.type === 'warning' ? event.error.message : []))).toEqual(['In use.']);
  expect([memory.containers.size, memory.volumes.size]).toEqual([0, 0]);
});

test('interrupted at every step: it ends with 130, nothing half made stays, and the next up converges', async () => {
  for (let at = 1; at <= 9; at++) {
    const memory = new Memory(chain);
    const controller = new AbortController();
    const onCall = (count: number) => {
      if (count === at) controller.abort(new Error('SIGINT'));
    };
    const { error } = await run(memory, chain, { action: 'up' }, { onCall }, { signal: controller.signal });
    // The last call of all leaves nothing to interrupt.
    if (at < 9) expect([error?.code, error?.exitCode]).toEqual(['plan.interrupted', 130]);
    expect(states(memory).filter((line) => !line.endsWith(' running'))).toEqual([]);
    expect((await run(memory, chain)).error).toBeUndefined();
    expect(states(memory)).toEqual(['demo-api-1 running', 'demo-db-1 running', 'demo-web-1 running']);
  }
});

test('interrupted while it waits: the wait ends at once', async () => {
  const memory = new Memory(chain);
  const controller = new AbortController();
  const onCall = (_: number, what: string) => {
    if (what === 'start demo-db-1') setTimeout(() => controller.abort(new Error('SIGINT')), 10);
  };
  const behaviour = { onCall, becomes: { db: { health: 'starting' as const } } };
  const { error } = await run(memory, chain, { action: 'up' }, behaviour, { signal: controller.signal });
  expect(error?.code).toBe('plan.interrupted');
  expect(states(memory)).toEqual(['demo-db-1 running']);
});

test('volumes made for a container that is taken back go with it, those handed on stay', async () => {
  for (const renewAnonVolumes of [true, false]) {
    const memory = new Memory(chain);
    await run(memory, chain);
    const removed: [string, boolean | undefined][] = [];
    const { remove } = memory.effects.containers;
    memory.effects.containers.remove = async (record, options) => {
      if (record.service === 'db') removed.push([record.config.user ?? 'old', options?.removeAnonymousVolumes]);
      await remove(record, options);
    };
    const changed = structuredClone(chain);
    changed.services.db!.user = 'new';
    const onCall = (_: number, what: string) => {
      if (what === 'start demo-db-1' && !memory.log.includes('remove demo-db-1')) throw new Error('failed');
    };
    const behaviour = {
      onCall: (count: number, what: string) => (removed.length === 0 ? onCall(count, what) : undefined),
    };
    await run(memory, changed, { action: 'up', renewAnonVolumes }, behaviour);
    expect(removed).toEqual([['new', renewAnonVolumes]]);
    expect(states(memory)).toContain('demo-db-1 running');
  }
});

test('errors of taking back are told beside the first', async () => {
  const memory = new Memory(chain);
  memory.effects.lastLines = ({ id, service }) => (memory.containers.has(id) ? [`last words of ${service}`] : []);
  let failed = false;
  const onCall = (_: number, what: string) => {
    if (what === 'start demo-db-1') failed = true;
    if (what === 'start demo-db-1' || (failed && what === 'remove demo-web-1')) throw new Error(`failed: ${what}`);
  };
  const { error } = await run(memory, chain, { action: 'up' }, { onCall });
  expect(error?.message).toBe('failed: start demo-db-1\n  demo-db-1 | last words of db');
  expect(error?.also.map(({ message }) => message)).toEqual(['failed: remove demo-web-1']);
});
