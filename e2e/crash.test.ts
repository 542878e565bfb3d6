/** The command line killed at random moments: the next one converges, and nothing is left in the end. */
import { expect, test } from 'vitest';
import { type Project, until } from './harness/harness.ts';
import { random, rounds as roundsOf, seed } from './harness/random.ts';
import { idle, list, scenario } from './harness/scenario.ts';

const world = scenario();
const rounds = roundsOf(50);

const file = {
  services: {
    web: { ...idle, ports: ['8080:80'], depends_on: ['db', 'job'], volumes: ['data:/data', './bound:/bound'] },
    db: { ...idle, networks: { default: { aliases: ['database'] }, back: null }, volumes: ['data:/data'] },
    job: { image: 'busybox:1', command: ['true'], networks: ['back'] },
    worker: { ...idle, scale: 2, tmpfs: ['/tmp'], volumes: ['memory:/memory'] },
  },
  networks: { back: {} },
  volumes: { data: {}, memory: { driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' } } },
};

async function duration(action: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await action();
  return performance.now() - began;
}

/** Starts a command and kills it after so many milliseconds. @returns whether it was still at work. */
async function killedAfter(stack: Project, args: string[], ms: number): Promise<boolean> {
  const live = stack.start(args);
  live.end();
  const timer = setTimeout(() => {
    try {
      live.kill('SIGKILL');
    } catch {
      // It had ended by itself.
    }
  }, ms);
  const { code } = await live.exited;
  clearTimeout(timer);
  return code !== 0;
}

async function expectUp(stack: Project): Promise<void> {
  await stack.ok(['up', '-d']);
  // The job was started and takes its moment to end.
  const found = await until('the job has ended', async () => {
    const states = (await list(stack)).map(({ Name, State }) => `${Name} ${State}`);
    return !states.includes('crash-job-1 running') && states;
  });
  expect(found).toEqual([
    'crash-db-1 running',
    'crash-job-1 exited',
    'crash-web-1 running',
    'crash-worker-1 running',
    'crash-worker-2 running',
  ]);
  // One replica of each name, reachable: no half of an earlier attempt answers beside it.
  const answer = await stack.ok(['exec', '-T', 'web', 'nslookup', '-type=a', 'worker']);
  expect(new Set(answer.match(/^Address: \S+$/gm))).toHaveProperty('size', 2);
}

/** Milliseconds the command takes: the shortest of three, so that most moments below it are moments of work. */
async function shortest(before: () => Promise<unknown>, action: () => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 3; turn++) {
    await before();
    best = Math.min(best, await duration(action));
  }
  return best;
}

/** Kills `args` until so many kills came while it was at work; after each, all converges and nothing is left. */
async function storm(stack: Project, args: string[], whole: number, before: () => Promise<unknown>): Promise<void> {
  const next = random(seed + args.length);
  let hits = 0;
  for (let round = 0; hits < rounds; round++) {
    await before();
    const ms = next() * whole;
    if (await killedAfter(stack, args, ms)) hits++;
    try {
      // Half of the time the way is forward first, half of the time straight back.
      if (round % 2 === 0) await expectUp(stack);
      await stack.ok(['down', '-v', '-t', '0']);
      expect(await world.host.leaks()).toEqual([]);
    } catch (error) {
      throw new Error(`round ${round}, killed after ${ms.toFixed(1)} ms, seed ${seed}`, { cause: error });
    }
    if (round > 2 * rounds) throw new Error(`only ${hits} of ${round} kills came while the command was at work`);
  }
}

test(`killed ${rounds} times in the middle of up, with seed ${seed}`, {
  timeout: 100_000 + rounds * 6_000,
}, async () => {
  const stack = world.project('crash', file);
  const up = () => stack.ok(['up', '-d']);
  await up();
  const whole = await shortest(() => stack.ok(['down', '-v', '-t', '0']), up);
  await stack.ok(['down', '-v', '-t', '0']);
  await storm(stack, ['up', '-d'], whole, async () => {});
});

test(`killed ${rounds} times in the middle of down, with seed ${seed}`, {
  timeout: 100_000 + rounds * 6_000,
}, async () => {
  const stack = world.project('crash', file);
  const up = () => stack.ok(['up', '-d']);
  const whole = await shortest(up, () => stack.ok(['down', '-v', '-t', '0']));
  await storm(stack, ['down', '-v', '-t', '0'], whole, up);
});
