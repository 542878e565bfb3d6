/** Images built from Dockerfiles: steps in containers, what they make, what the cache spares. */
import { expect, test } from 'vitest';
import { expectError, list, scenario } from './harness/scenario.ts';

const world = scenario();

const dockerfile = `
FROM busybox:1 AS one
WORKDIR /src
COPY a.txt .
RUN cat a.txt && echo hello > /src/out && id -u
FROM busybox:1
ENV X=1
COPY --from=one /src/out /out
RUN --mount=type=cache,target=/c echo $X >> /c/x; cat /c/x
CMD ["cat", "/out"]
`;

function demo(name: string, text = dockerfile, build: object = {}) {
  const stack = world.project(name, { services: { web: { build: { context: '.', ...build } } } });
  stack.write('Dockerfile', text);
  stack.write('a.txt', 'content\n');
  return stack;
}

const steps = (stderr: string, how: string) =>
  [...stderr.matchAll(/^#(\d+) web (.*)$/gm)]
    .filter(([, number]) => new RegExp(`^#${number} ${how}`, 'm').test(stderr))
    .map(([, , name]) => name);

test('two stages: what RUN prints, what is copied, and nothing runs twice', async () => {
  const stack = demo('stages');
  const first = await stack.stack(['build']);
  expect(first, first.stderr).toMatchObject({ code: 0 });
  expect(first.stderr).toMatch(/^#\d+ content$/m);
  expect(first.stderr).toMatch(/^#\d+ 0$/m);
  // What is written is a new file of the name: another inode.
  const documents = () => world.host.read(`cd ${world.host.root}/images && ls -i blobs/sha256 records`);
  const written = await documents();
  const second = await stack.stack(['build']);
  expect(await documents(), 'a build that finds its image writes nothing').toBe(written);
  expect(steps(second.stderr, 'DONE')).toEqual([]);
  expect(steps(second.stderr, 'CACHED').length).toBeGreaterThan(3);
  const id = async () => (await stack.ok(['image', 'ls', '-q', 'stages-web'])).trim();
  const before = await id();
  stack.write('a.txt', 'content\n');
  expect(steps((await stack.stack(['build'])).stderr, 'DONE')).toEqual([]);
  expect(await id()).toBe(before);
  await stack.ok(['image', 'rm', 'stages-web']);
  await stack.ok(['build']);
  expect(await id(), 'an image that was removed is named again').toBe(before);
});

test('`up` builds what is missing; --build builds anew, and recreates what it changed', async () => {
  const stack = demo('up', 'FROM busybox:1\nCOPY a.txt /a.txt\nCMD ["sleep", "1000000"]\n');
  expect((await stack.stack(['plan'])).stdout).toMatch(/\+ build image up-web +because it is not in the store/);
  await stack.ok(['up', '-d']);
  const inside = () => stack.ok(['exec', '-T', 'web', 'cat', '/a.txt']);
  expect(await inside()).toBe('content\n');
  expect((await stack.stack(['plan'])).code).toBe(0);
  stack.write('a.txt', 'changed\n');
  await stack.ok(['up', '-d']);
  expect(await inside()).toBe('content\n');
  await stack.ok(['up', '-d', '--build']);
  expect(await inside()).toBe('changed\n');
  const [before] = await list(stack);
  await stack.ok(['up', '-d', '--build']);
  expect((await list(stack))[0]!.ID).toBe(before!.ID);
});

test('a step that fails is told with its line and what it printed; nothing is tagged, and `up` changes nothing', async () => {
  const stack = demo('failing', 'FROM busybox:1\nRUN echo reason >&2; exit 3\n');
  const built = await stack.stack(['build']);
  expectError(built, 1, /Dockerfile:2:1/, /exited with 3/, /\| reason/);
  expectError(await stack.stack(['up', '-d']), 1, /exited with 3/);
  expect((await world.host.stack(['image', 'ls'])).stdout).not.toContain('failing-web');
  expect(await list(stack)).toEqual([]);
});

test('as many layers as an image may have: 127', async () => {
  const copies = Array.from({ length: 124 }, (_, at) => `COPY <<END /f${at}\n${at}\nEND\n`).join('');
  const text = `FROM busybox:1\n${copies}RUN test "$(cat /f0 /f123 | tr -d '\\n')" = 0123 && rm /f0\nCOPY a.txt /\nCMD ["ls", "/"]\n`;
  const stack = demo('deep', text);
  const done = await stack.stack(['build']);
  expect(done, done.stderr).toMatchObject({ code: 0 });
  const listed = (await stack.ok(['run', '--rm', '-T', 'web'])).split('\n').filter((name) => /^f\d+$/.test(name));
  expect(listed).toHaveLength(123);
});
