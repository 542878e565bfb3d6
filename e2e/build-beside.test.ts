/** Builds of several processes that come to the same step: one runs it, the others wait for it, whatever becomes of it. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectError, scenario } from './harness/scenario.ts';

const world = scenario();

/** Of every project the same step; it ends when it is told to, by a file of the cache mount it waits for. */
function demo(name: string, step: string) {
  const dockerfile_inline = `FROM busybox:1\nRUN --mount=type=cache,id=gate,target=/c echo begun; ${step}; echo ran; echo made > /made\n`;
  return world.project(name, { services: { web: { build: { context: '.', dockerfile_inline } } } });
}

const untilOpen = (word: string) => `while test ! -e /c/${word}; do sleep 0.1; done`;
const open = (word: string) => world.host.read(`cd ${world.host.root}/build/caches/*/data && touch ${word}`);
const locks = () => {
  const folder = join(world.host.root, 'build/locks');
  return existsSync(folder) ? readdirSync(folder) : [];
};
const runs = (...outputs: string[]) => outputs.join('').match(/^#\d+ ran$/gm)?.length ?? 0;

test('one runs the step, the other takes what it made', async () => {
  const [one, two] = [demo('one', untilOpen('first')), demo('two', untilOpen('first'))];
  const first = one.start(['build']);
  await first.output(/^#\d+ begun/m);
  const second = two.start(['build']);
  await second.output(/RUN --mount/);
  await open('first');
  const done = await Promise.all([first.exited, second.exited]);
  for (const each of done) expect(each, each.stderr).toMatchObject({ code: 0 });
  expect(runs(...done.map(({ stderr }) => stderr))).toBe(1);
  const ids = await Promise.all(
    [one, two].map((each) => each.ok(['image', 'ls', '-q', '--no-trunc', `${each.name}-web`])),
  );
  expect(ids[0]).toBe(ids[1]);
  expect(locks()).toEqual([]);
});

test('the other takes over where the one that runs it is killed', async () => {
  const [one, two] = [demo('killed', untilOpen('second')), demo('heir', untilOpen('second'))];
  const first = one.start(['build']);
  await first.output(/^#\d+ begun/m);
  const second = two.start(['build']);
  await second.output(/RUN --mount/);
  first.kill('SIGKILL');
  await first.exited;
  await second.output(/^#\d+ begun/m);
  await open('second');
  const done = await second.exited;
  expect(done, done.stderr).toMatchObject({ code: 0 });
  expect(runs(done.stderr)).toBe(1);
  expect(locks()).toEqual([]);
  // Sweeps what the killed one left.
  await two.ok(['build']);
});

test('who waits can give up, and who runs it is not touched by that', async () => {
  const [one, two] = [demo('patient', untilOpen('third')), demo('hasty', untilOpen('third'))];
  const first = one.start(['build']);
  await first.output(/^#\d+ begun/m);
  const second = two.start(['build']);
  await second.output(/RUN --mount/);
  const begun = performance.now();
  second.kill('SIGINT');
  expectError(await second.exited, 130, /interrupted/i);
  expect(performance.now() - begun).toBeLessThan(1500);
  await open('third');
  expect(await first.exited).toMatchObject({ code: 0 });
});

test('a step that fails is run by the next one too, and both say why', async () => {
  const [one, two] = [
    demo('fails', `${untilOpen('fourth')}; echo why; exit 3`),
    demo('fails-too', `${untilOpen('fourth')}; echo why; exit 3`),
  ];
  const first = one.start(['build']);
  await first.output(/^#\d+ begun/m);
  const second = two.start(['build']);
  await second.output(/RUN --mount/);
  await open('fourth');
  for (const done of await Promise.all([first.exited, second.exited])) {
    expectError(done, 1, /dockerfile_inline:2:1/, /exited with 3/, /\| why/);
  }
  expect(locks()).toEqual([]);
});
