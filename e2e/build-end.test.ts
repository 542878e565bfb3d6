/** Builds that are cut off: what they leave is nothing, and the next one works. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { expectError, scenario } from './harness/scenario.ts';

const world = scenario();

function demo(name: string, text: string) {
  const stack = world.project(name, { services: { web: { image: `${name}-web`, build: { context: '.' } } } });
  stack.write('Dockerfile', text);
  stack.write('a.txt', 'content\n');
  return stack;
}

const entries = (folder: string) => (existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : []);

/** What of a build is on disk that nobody works with; cgroups, links and rules are looked for after each test. */
function remains() {
  const layers = entries(world.host.root).filter((name) =>
    /^layers\/\.[^/]*$|^build\/(fetched|caches)\/.*\.?new|^build\/fetched\/.|\.[0-9a-f]{8}$/.test(name),
  );
  return [...layers, ...entries(join(world.host.run, 'builds')), ...entries(join(world.host.root, 'images/leases'))];
}

const endless = `
FROM busybox:1
RUN echo made > /made
RUN --mount=type=cache,target=/c echo begun; sleep 1000 & sleep 1000
`;

test.each([
  ['while it is set up', /RUN --mount/],
  ['while it runs', /^#\d+ begun/m],
])('Ctrl-C %s ends an endless step within a second and leaves nothing', async (_, moment) => {
  const stack = demo('cancel', endless);
  const live = stack.start(['build']);
  await live.output(moment);
  const begun = performance.now();
  live.kill('SIGINT');
  const done = await live.exited;
  expect(performance.now() - begun).toBeLessThan(1500);
  expectError(done, 130, /interrupted/i);
  expect(remains()).toEqual([]);
  expect(await stack.ok(['image', 'ls', '-q', 'cancel-web'])).toBe('');
});

test('a time-out from outside, as of timeout(1), ends an endless step too', async () => {
  const stack = demo('late', endless);
  const live = stack.start(['build']);
  await live.output(/^#\d+ begun/m);
  const begun = performance.now();
  live.kill('SIGTERM');
  const done = await live.exited;
  expect(performance.now() - begun).toBeLessThan(1500);
  expectError(done, 143, /interrupted/i);
  expect(remains()).toEqual([]);
  expect(await stack.ok(['image', 'ls', '-q', 'late-web'])).toBe('');
});

test('killed with -9: the step dies with the build, and the next build sweeps and works', async () => {
  const stack = demo('killed', endless);
  const live = stack.start(['build']);
  await live.output(/^#\d+ begun/m);
  live.kill('SIGKILL');
  await live.exited;
  await until('the processes of the step end', () => world.host.processes().length === 0, 3000);
  stack.write('Dockerfile', endless.replaceAll('sleep 1000', 'true'));
  expect(await stack.stack(['build'])).toMatchObject({ code: 0 });
  expect(remains()).toEqual([]);
});

test('killed at any moment: nothing half built has a name, and the next build works', async () => {
  const seed = Number(process.env.STACK_CRASH_SEED ?? Date.now() % 100_000);
  const rounds = Number(process.env.STACK_CRASH_ROUNDS ?? 6);
  let state = seed;
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
  const text = (round: number) => `
FROM busybox:1 AS one
COPY a.txt /a
RUN --mount=type=cache,id=c${round},target=/c echo ${round} > /c/x && mkdir -p /d/e && echo ${round} > /d/e/f
FROM busybox:1
COPY --from=one /d /d
RUN test "$(cat /d/e/f)" = ${round} && echo ${round} > /end
CMD ["cat", "/d/e/f", "/end"]
`;
  const stack = demo('any', text(0));
  const begun = performance.now();
  await stack.ok(['build']);
  const whole = performance.now() - begun;
  for (let round = 1; round <= rounds; round++) {
    const at = `seed ${seed}, round ${round}`;
    stack.write('Dockerfile', text(round));
    const before = await stack.ok(['image', 'ls', '-q', '--no-trunc', 'any-web']);
    const live = stack.start(['build']);
    const timer = setTimeout(() => live.kill('SIGKILL'), 100 + random() * whole);
    const killed = await live.exited;
    clearTimeout(timer);
    await until(`the processes end (${at})`, () => world.host.processes().length === 0, 5000);
    if (killed.code !== 0) {
      const after = await stack.ok(['image', 'ls', '-q', '--no-trunc', 'any-web']);
      if (after !== before) expect((await stack.stack(['run', '--rm', 'web'])).stdout, at).toBe(`${round}\n${round}\n`);
    }
    const next = await stack.stack(['build']);
    expect(next, `${at}\n${next.stderr}`).toMatchObject({ code: 0 });
    expect((await stack.stack(['run', '--rm', 'web'])).stdout, at).toBe(`${round}\n${round}\n`);
    expect(remains(), at).toEqual([]);
    expect(await stack.stack(['system', 'check']), at).toMatchObject({ code: 0 });
  }
}, 240_000);

test('Ctrl-C ends a copy of very many files', async () => {
  const stack = demo('copying', 'FROM busybox:1\nCOPY many /many\nCOPY many /again\n');
  await world.host.read(
    `cd ${stack.folder} && mkdir many && cd many && seq 20000 | split -l 1 -a 4 - f && test "$(ls | wc -l)" = 20000`,
  );
  const live = stack.start(['build']);
  await live.output(/COPY many/);
  const begun = performance.now();
  live.kill('SIGINT');
  expectError(await live.exited, 130, /interrupted/i);
  expect(performance.now() - begun).toBeLessThan(1500);
  expect(remains()).toEqual([]);
});
