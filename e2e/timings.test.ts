/** `--timings` and `--parallel` on the real thing. */
import { expect, test } from 'vitest';
import type { Timings } from '../schemas/events.ts';
import { idle, scenario } from './harness/scenario.ts';

const world = scenario();

test('the slow health of a database is what `up` was waiting for', async () => {
  const healthcheck = {
    test: ['CMD-SHELL', 'sleep 0.7; true'],
    interval: '10s',
    start_interval: '50ms',
    start_period: '9s',
  };
  const stack = world.project('timed', {
    services: {
      web: { ...idle, depends_on: { db: { condition: 'service_healthy' } } },
      db: { ...idle, healthcheck },
      other: idle,
    },
  });
  const up = await stack.stack(['--timings', 'up', '-d']);
  expect(up.stderr).toMatch(
    /^Timings: .* in all, .* of work in \d+ operations\. .*\n(?: {2}at .*\n)*.*await service db healthy\n.*start container timed-web-1\n$/m,
  );
  const down = await stack.stack(['--progress', 'json', 'down', '-t', '0']);
  const events = down.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string } & Timings);
  const { criticalPath, totalMs } = events.find(({ type }) => type === 'timings')!;
  expect(criticalPath.at(-1)).toMatchObject({ kind: 'network.remove', waitedFor: expect.stringContaining('remove') });
  const { beganMs, ms } = criticalPath.at(-1)!;
  expect(Math.abs(beganMs + ms - totalMs)).toBeLessThan(1);
});

test('no more operations at once than the limit says', async () => {
  const services = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, idle]));
  const stack = world.project('narrow', { services });
  for (const [flags, env] of [
    [['--parallel', '2'], {}],
    [[], { COMPOSE_PARALLEL_LIMIT: '2' }],
  ] as const) {
    const up = await stack.stack([...flags, '--progress', 'json', 'up', '-d'], { env });
    let open = 0;
    let most = 0;
    for (const line of up.stderr.trim().split('\n')) {
      const { type } = JSON.parse(line);
      if (type === 'started') most = Math.max(most, ++open);
      if (type === 'done') open--;
    }
    expect([up.code, most]).toEqual([0, 2]);
    await stack.ok(['down', '-t', '0']);
  }
  const wrong = await stack.stack(['up', '-d'], { env: { COMPOSE_PARALLEL_LIMIT: 'many' } });
  expect([wrong.code, wrong.stderr]).toEqual([
    1,
    expect.stringContaining('COMPOSE_PARALLEL_LIMIT must be a whole number'),
  ]);
});
