import { expect, test } from 'vitest';
import { reconcile } from '../../planner/reconcile/reconcile.ts';
import { StackError } from '../../schemas/errors.ts';
import type { EngineEvent } from '../../schemas/events.ts';
import type { Project, UpdateConfig } from '../../schemas/project.ts';
import { execute } from './execute.ts';
import { type Behaviour, Memory } from './memory.ts';

function web(version: string, update_config: UpdateConfig, rollback_config: UpdateConfig = {}): Project {
  const service = {
    image: 'busybox',
    command: null,
    entrypoint: null,
    networks: { default: null },
    environment: { VERSION: version },
    healthcheck: { test: ['CMD', 'true'] },
    deploy: { replicas: 4, update_config, rollback_config },
  };
  return {
    name: 'demo',
    services: { web: service },
    networks: { default: { name: 'demo_default', ipam: {} } },
    volumes: {},
  };
}

async function apply(memory: Memory, project: Project, behaviour: Behaviour = {}, signal?: AbortSignal) {
  const snapshot = memory.snapshot();
  const events: EngineEvent[] = [];
  memory.log.length = 0;
  memory.behaviour = behaviour;
  const plan = reconcile(project, snapshot, { action: 'up' });
  let error: StackError | undefined;
  try {
    const effects = async () => memory.effects;
    await execute({ plan, project, snapshot, effects, emit: (event) => events.push(event), signal });
  } catch (thrown) {
    error = thrown as StackError;
  }
  memory.behaviour = {};
  return { error, events, log: [...memory.log] };
}

/** `demo-web-1 two running`, sorted. */
const containers = (memory: Memory) =>
  [...memory.containers.values()]
    .map(({ record, status }) => `${record.name} ${record.config.environment!.VERSION} ${status.state}`)
    .sort();

const all = (version: string) => [1, 2, 3, 4].map((number) => `demo-web-${number} ${version} running`);

async function running(update: UpdateConfig, rollback: UpdateConfig = {}) {
  const memory = new Memory(web('one', update, rollback));
  await apply(memory, web('one', update, rollback));
  expect(containers(memory)).toEqual(all('one'));
  return memory;
}

/** Number of containers that run, after every effect. */
function counting(memory: Memory, more: Behaviour = {}): { counts: number[]; behaviour: Behaviour } {
  const counts: number[] = [];
  const onCall = (count: number, what: string) => {
    counts.push([...memory.containers.values()].filter(({ status }) => status.state === 'running').length);
    more.onCall?.(count, what);
  };
  return { counts, behaviour: { ...more, onCall } };
}

test('stop-first: a batch begins when the one before it is healthy', async () => {
  const update = { parallelism: 2, order: 'stop-first' };
  const memory = await running(update);
  const { counts, behaviour } = counting(memory);
  const { log, error } = await apply(memory, web('two', update), behaviour);
  expect(error).toBeUndefined();
  expect(containers(memory)).toEqual(all('two'));
  expect(Math.min(...counts)).toBe(2);
  const at = (line: string) => log.indexOf(line);
  for (const line of ['stop demo-web-3', 'stop demo-web-4']) {
    expect(at(line)).toBeGreaterThan(at('start demo-web-1'));
    expect(at(line)).toBeGreaterThan(at('start demo-web-2'));
  }
});

test('start-first: never fewer containers than before, never more than a batch beside them', async () => {
  const update = { parallelism: 1, order: 'start-first' };
  const memory = await running(update);
  const { counts, behaviour } = counting(memory);
  const { log } = await apply(memory, web('two', update), behaviour);
  expect(containers(memory)).toEqual(all('two'));
  expect([Math.min(...counts), Math.max(...counts)]).toEqual([4, 5]);
  expect(log.slice(0, 4)).toEqual(['create demo-web-1', 'start demo-web-1', 'stop demo-web-1', expect.any(String)]);
});

test('0 at once is all at once; the delay lies between batches', async () => {
  const together = { parallelism: 0, order: 'start-first' };
  const memory = await running(together);
  const { counts, behaviour } = counting(memory);
  await apply(memory, web('two', together), behaviour);
  expect(Math.max(...counts)).toBe(8);
  const slow = { parallelism: 2, delay: '80ms' };
  const began = performance.now();
  await apply(memory, web('three', slow));
  const took = performance.now() - began;
  expect(took).toBeGreaterThanOrEqual(79);
  expect(took).toBeLessThan(160);
});

/** The third container of the new version is unhealthy. */
function sick(memory: Memory): Behaviour {
  return {
    onCall(_, what) {
      if (what !== 'start demo-web-3') return;
      const [newest] = [...memory.containers.values()].filter(({ record }) => record.name === 'demo-web-3').reverse();
      if (newest!.record.config.environment!.VERSION !== 'two') return;
      setImmediate(() => setImmediate(() => memory.setStatus(newest!.record.id, { health: 'unhealthy' })));
    },
  };
}

/** As Memory does, with one that stays in `starting` until `sick` has its say. */
async function failing(update: UpdateConfig, rollback: UpdateConfig = {}) {
  const memory = await running(update, rollback);
  const behaviour = sick(memory);
  const { start } = memory.effects.containers;
  memory.effects.containers.start = async (record) => {
    const isSick = record.name === 'demo-web-3' && record.config.environment!.VERSION === 'two';
    if (isSick) memory.behaviour = { ...memory.behaviour, becomes: { web: { health: 'starting' } } };
    await start(record);
    if (isSick) memory.behaviour = { ...memory.behaviour, becomes: {} };
  };
  return { memory, behaviour };
}

test.each(['stop-first', 'start-first'])('%s, failure_action pause: the batch that fails goes back', async (order) => {
  const update = { parallelism: 1, order };
  const { memory, behaviour } = await failing(update);
  const { error } = await apply(memory, web('two', update), behaviour);
  expect(error?.code).toBe('plan.update');
  expect(error?.message).toContain('The update of web ended with batch 3 of 4: demo-web-3 unhealthy');
  expect(error?.message).toContain('demo-web-3 | last words of web');
  expect(error?.hint).toContain('Taken back: removed container demo-web-3');
  expect(containers(memory)).toEqual([...all('two').slice(0, 2), ...all('one').slice(2)]);
  const next = web('three', update);
  expect((await apply(memory, next)).error).toBeUndefined();
  expect(containers(memory)).toEqual(all('three'));
});

test.each(['stop-first', 'start-first'])('%s, failure_action rollback: all are as before', async (order) => {
  const update = { parallelism: 1, order, failure_action: 'rollback' };
  const rollback = { parallelism: 2, order };
  const { memory, behaviour } = await failing(update, rollback);
  const before = [...memory.containers.keys()].sort();
  const { counts, behaviour: counted } = counting(memory, behaviour);
  const { error, log } = await apply(memory, web('two', update, rollback), counted);
  expect(error?.code).toBe('plan.update');
  expect(error?.hint).toContain('went back to the former container demo-web-1, container demo-web-2');
  expect(containers(memory)).toEqual(all('one'));
  // The very containers, with whatever they wrote.
  expect([...memory.containers.keys()].sort()).toEqual(before);
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(order === 'start-first' ? 4 : 2);
  expect(log.filter((line) => line.startsWith('start'))).toHaveLength(order === 'start-first' ? 5 : 6);
  expect(reconcile(web('one', update, rollback), memory.snapshot(), { action: 'up' }).operations).toEqual([]);
});

test('failure_action continue, or a ratio of failures that is allowed: the others go on', async () => {
  for (const update of [{ failure_action: 'continue' }, { max_failure_ratio: 0.25 }]) {
    const { memory, behaviour } = await failing(update);
    const { error, events } = await apply(memory, web('two', update), behaviour);
    expect(error).toBeUndefined();
    expect(containers(memory)).toEqual(all('two'));
    const warnings = events.flatMap((event) => (event.type === 'warning' ? event.error.message : []));
    expect(warnings).toEqual([expect.stringContaining('demo-web-3 unhealthy')]);
  }
  const { memory, behaviour } = await failing({ max_failure_ratio: 0.2 });
  expect((await apply(memory, web('two', { max_failure_ratio: 0.2 }), behaviour)).error?.code).toBe('plan.update');
});

/** The third container of the new version cannot be started, or made. */
function broken(memory: Memory, what: 'start' | 'create'): Behaviour {
  return {
    onCall(_, call) {
      if (call !== `${what} demo-web-3`) return;
      const isNew = [...memory.containers.values()].filter(({ record }) => record.name === 'demo-web-3').length === 2;
      const isAgain = memory.log.filter((line) => line === call).length > 1;
      if (!isAgain && (what === 'create' || isNew))
        throw new StackError('runtime.exited', { message: 'no such command' });
    },
  };
}

test.each(['start', 'create'] as const)('a container that fails to %s fails the update too', async (what) => {
  for (const order of ['stop-first', 'start-first']) {
    const update = { order, failure_action: 'rollback' };
    const memory = await running(update);
    const { error } = await apply(memory, web('two', update), broken(memory, what));
    expect(error?.message).toContain('no such command');
    expect(error?.hint).toContain('went back to the former container demo-web-1, container demo-web-2');
    expect(containers(memory)).toEqual(all('one'));
  }
});

test('one that cannot be started ends the update also where failure_action is continue: its place is not given up', async () => {
  const memory = await running({ failure_action: 'continue' });
  const { error } = await apply(memory, web('two', { failure_action: 'continue' }), broken(memory, 'start'));
  expect(error?.message).toContain('no such command');
  expect(containers(memory)).toEqual([...all('two').slice(0, 2), ...all('one').slice(2)]);
});

test('what fails elsewhere rolls no update back that holds so far', async () => {
  const update = { failure_action: 'rollback' };
  const memory = await running(update);
  const next = web('two', update);
  next.services.other = { ...next.services.web!, deploy: {}, environment: { VERSION: 'two' } };
  const { error } = await apply(memory, next, {
    onCall: async (_, what) => {
      if (what !== 'start demo-other-1') return;
      while (!memory.log.includes('start demo-web-3')) await new Promise(setImmediate);
      throw new Error('other');
    },
  });
  expect(error?.message).toContain('other');
  expect(error?.hint).not.toContain('went back');
  expect(containers(memory).filter((one) => one.startsWith('demo-web-1'))).toEqual(['demo-web-1 two running']);
});

test('without a health check a container has to run for `monitor`', async () => {
  const update = { monitor: '60ms', parallelism: 4 };
  const without = (version: string) => {
    const project = web(version, update);
    delete project.services.web!.healthcheck;
    return project;
  };
  const memory = new Memory(without('one'));
  await apply(memory, without('one'));
  const began = performance.now();
  expect((await apply(memory, without('two'))).error).toBeUndefined();
  expect(performance.now() - began).toBeGreaterThanOrEqual(59);
  const behaviour = { becomes: { web: { state: 'exited' as const, exitCode: 3 } } };
  const { error } = await apply(memory, without('three'), behaviour);
  expect(error?.message).toContain('exited with 3');
  expect(containers(memory).map((line) => line.split(' ')[1])).toEqual(['two', 'two', 'two', 'two']);
});

test('interrupted in any moment: the old one or the new one of each runs, and the next up converges', async () => {
  for (const order of ['stop-first', 'start-first']) {
    const update = { parallelism: 2, order, failure_action: 'rollback' };
    for (let at = 1; ; at++) {
      const memory = await running(update);
      memory.calls = 0;
      const controller = new AbortController();
      let isOver = true;
      const onCall = (count: number) => {
        if (count !== at) return;
        isOver = false;
        controller.abort();
      };
      const { error } = await apply(memory, web('two', update), { onCall }, controller.signal);
      if (isOver) break;
      if (error) expect(error.code).toBe('plan.interrupted');
      const up = new Set(containers(memory).flatMap((line) => (line.endsWith('running') ? line.split(' ')[0] : [])));
      expect([order, at, up.size]).toEqual([order, at, 4]);
      expect((await apply(memory, web('two', update))).error).toBeUndefined();
      expect(containers(memory)).toEqual(all('two'));
    }
  }
});
