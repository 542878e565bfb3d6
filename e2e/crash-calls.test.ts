/** The command killed before a call of the kernel port, each one in turn: the next command converges, nothing is left. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Project as Stack } from './harness/harness.ts';
import { random, seed } from './harness/random.ts';
import { idle, list, scenario } from './harness/scenario.ts';

const world = scenario();
/** Every seventeenth call, from a random one on; `STACK_CRASH_STEP=1` dies at all of them. */
const step = Number(process.env.STACK_CRASH_STEP ?? 17);
const script = join(import.meta.dirname, 'harness/dying.ts');

const definition = (version: string, scale: number, update?: object) => ({
  name: 'dying',
  services: {
    web: { ...idle, environment: { VERSION: version }, depends_on: ['db'], ports: ['8080:80'] },
    db: { ...idle, volumes: ['data:/data', '/anonymous'] },
    many: {
      ...idle,
      environment: { VERSION: version },
      healthcheck: { test: ['CMD', 'true'], interval: '10s', start_period: '5s', start_interval: '20ms' },
      deploy: { replicas: scale, ...(update ? { update_config: update } : {}) },
    },
  },
  volumes: { data: {} },
});

const rolling = { order: 'start-first', failure_action: 'rollback' };

async function expectUp(stack: Stack, scale: number): Promise<void> {
  await stack.ok(['up', '-d', '-t', '0']);
  const many = Array.from({ length: scale }, (_, index) => `dying-many-${index + 1} running`);
  const states = (await list(stack)).map(({ Name, State }) => `${Name} ${State}`);
  expect(states).toEqual(['dying-db-1 running', ...many, 'dying-web-1 running']);
  expect((await stack.stack(['plan'])).stdout.trim()).toBe('No changes.');
}

test.each<[name: string, before: object | undefined, after: object, scale: number, action: 'up' | 'down']>([
  ['up', undefined, definition('one', 1), 1, 'up'],
  ['a change and more replicas', definition('one', 1), definition('two', 2), 2, 'up'],
  ['a rolling change', definition('one', 2, rolling), definition('two', 2, rolling), 2, 'up'],
  ['down', definition('one', 1), definition('one', 1), 1, 'down'],
])(`killed in %s, with seed ${seed}`, { timeout: 3_000_000 }, async (_, before, after, scale, action) => {
  const stack = world.project('dying', after);
  const model = stack.write('model.json', await stack.ok(['config', '--format', 'json']));
  const first = 1 + Math.floor(random(seed)() * step);
  let killed = 0;
  for (let at = first; ; at += step) {
    if (before) {
      stack.define(before);
      await stack.ok(['up', '-d', '-t', '0']);
      stack.define(after);
    } else if (at === first) {
      expect((await world.host.stack(['image', 'pull', 'busybox:1'])).code).toBe(0);
    }
    const done = await world.host.sh(`exec '${process.execPath}' '${script}' ${at} ${action} '${model}'`);
    if (done.code === 0) {
      expect(Number(done.stdout)).toBeLessThan(at);
      break;
    }
    expect([at, done.signal ?? done.code, done.stderr]).toEqual([at, expect.toBeOneOf(['SIGKILL', 137]), '']);
    killed++;
    try {
      if (killed % 2 === 1) await expectUp(stack, scale);
      await stack.ok(['down', '-v', '-t', '0']);
      expect(await world.host.leaks()).toEqual([]);
    } catch (error) {
      throw new Error(`killed before call ${at}`, { cause: error });
    }
  }
  expect(killed).toBeGreaterThan(0);
  console.log(`killed ${killed} times`);
});
