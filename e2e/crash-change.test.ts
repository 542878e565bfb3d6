/** The command line killed in the middle of changes to a running stack: the next up converges, and no data is lost. */
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { random, rounds as roundsOf, seed } from './harness/random.ts';
import { idle, list, scenario } from './harness/scenario.ts';

const world = scenario();
const rounds = roundsOf(12);
const next = random(seed);

const healthcheck = { test: ['CMD', 'true'], interval: '10s', start_period: '5s', start_interval: '20ms' };

const rolling = (round: number) => ({
  replicas: 2,
  update_config: {
    order: round % 2 === 0 ? 'start-first' : 'stop-first',
    failure_action: round % 4 < 2 ? 'rollback' : 'pause',
  },
});

/** A definition for each round: other variables, another number of replicas, every third time another network. */
function definition(round: number): object {
  const environment = (value: number) => ({ ROUND: String(value) });
  return {
    services: {
      web: {
        ...idle,
        ports: ['8080:80'],
        depends_on: { db: { condition: 'service_started', restart: true } },
        volumes: ['data:/data', '/anonymous'],
        environment: environment(round),
      },
      side: { ...idle, network_mode: 'service:db' },
      db: { ...idle, volumes: ['/anonymous'], environment: environment(Math.floor(round / 2)) },
      worker: { ...idle, scale: round % 3 },
      rolled: { ...idle, environment: environment(round), healthcheck, deploy: rolling(round) },
    },
    networks: { default: { internal: round % 3 === 0 } },
    volumes: { data: {} },
  };
}

async function killedAfter(stack: Project, ms: number): Promise<void> {
  const live = stack.start(['up', '-d', '-t', '0']);
  live.end();
  const timer = setTimeout(() => {
    try {
      live.kill('SIGKILL');
    } catch {
      // It had ended by itself.
    }
  }, ms);
  await live.exited;
  clearTimeout(timer);
}

test(`killed twice in each of ${rounds} changes, with seed ${seed}`, {
  timeout: 60_000 + rounds * 20_000,
}, async () => {
  const stack = world.project('changing', definition(1));
  await stack.ok(['up', '-d']);
  for (const service of ['web', 'db']) {
    await stack.ok(['exec', '-T', service, 'sh', '-c', `echo ${service} > /anonymous/written`]);
  }
  for (let round = 2; round < rounds + 2; round++) {
    stack.define(definition(round));
    for (let attempt = 0; attempt < 2; attempt++) await killedAfter(stack, 60 + next() * 400);
    await stack.ok(['up', '-d', '-t', '0']);
    const running = (await list(stack)).map(({ Name, State }) => `${Name} ${State}`);
    const workers = Array.from({ length: round % 3 }, (_, index) => `changing-worker-${index + 1} running`);
    const rolled = ['changing-rolled-1 running', 'changing-rolled-2 running'];
    const others = ['changing-side-1 running', 'changing-web-1 running', ...workers];
    expect(running).toEqual(['changing-db-1 running', ...rolled, ...others]);
    const plan = await stack.stack(['plan']);
    expect([round, plan.code, plan.stdout.trim()]).toEqual([round, 0, 'No changes.']);
    for (const service of ['web', 'db']) {
      expect(await stack.ok(['exec', '-T', service, 'cat', '/anonymous/written'])).toBe(`${service}\n`);
    }
  }
});
