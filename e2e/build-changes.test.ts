/** Why an image is built, and what has changed since it was: in plans, as text and as JSON, and while `up` does it. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scenario } from './harness/scenario.ts';

const world = scenario();

const dockerfile = `FROM mine:1 AS base
ARG A
COPY src /src
COPY *.md /docs/
FROM base AS extra
FROM base
RUN --mount=type=bind,source=bound,target=/m true
COPY --from=shared s.txt /
CMD ["sleep", "1000000"]
`;

type Stack = ReturnType<typeof world.project>;
interface Planned {
  operations: { kind: string; cause: string; changed?: string[] }[];
}

async function planned(stack: Stack, env: Record<string, string> = {}): Promise<Planned['operations'][number]> {
  const done = await stack.stack(['plan', '--build', '--json'], { env });
  expect(done.code, done.stderr).toBe(2);
  const builds = (JSON.parse(done.stdout) as Planned).operations.filter(({ kind }) => kind === 'image.build');
  expect(builds).toHaveLength(1);
  return builds[0]!;
}

test('each kind of input is told when it has changed, and nothing else', async () => {
  const mine = world.project('mine', { services: { web: { image: 'mine:1', build: { context: '.' } } } });
  const base = async (content: string) => {
    mine.write('Dockerfile', `FROM busybox:1\nRUN echo ${content} > /base\n`);
    await mine.ok(['build']);
  };
  await base('1');
  const build: Record<string, unknown> = { context: '.', args: ['A'], additional_contexts: { shared: './shared' } };
  const secrets = { one: { environment: 'ONE' }, two: { environment: 'ONE' } };
  const stack = world.project('told', { services: { web: { build } }, secrets });
  const env: Record<string, string> = { A: 'first-tops3cret', ONE: 'value-tops3cret' };
  const section = (more: object) => {
    Object.assign(build, more);
    stack.define({ services: { web: { build } }, secrets });
  };
  stack.write('Dockerfile', dockerfile);
  for (const file of ['src/a.txt', 'src/b.txt', 'read.md', 'bound/x', 'shared/s.txt', 'unused'])
    stack.write(file, file);
  const at = (file: string) => join(stack.folder, file);
  await stack.ok(['build'], { env });

  expect(await planned(stack, env)).toMatchObject({
    cause: '--build, and nothing has changed since it was built',
    changed: [],
  });
  const changes: [string, () => unknown, string[]][] = [
    ['a time', () => utimesSync(at('src/a.txt'), 1, 1), []],
    ['a file that no step reads', () => stack.write('unused', 'other'), []],
    ['the value of a secret', () => (env.ONE = 'another-tops3cret'), []],
    ['the Dockerfile', () => stack.write('Dockerfile', `${dockerfile}LABEL x=1\n`), ['Dockerfile']],
    ['an argument', () => (env.A = 'second-tops3cret'), ['ARG A']],
    ['one that is new', () => section({ args: ['A', 'B=1'] }), ['ARG B (new)']],
    ['the content of a file', () => stack.write('src/a.txt', 'other'), ['src/a.txt']],
    ['the mode of a file', () => chmodSync(at('src/b.txt'), 0o755), ['src/b.txt']],
    ['a file more', () => stack.write('src/c.txt', ''), ['src/c.txt (new)']],
    ['one that a pattern takes', () => stack.write('more.md', ''), ['more.md (new)']],
    ['a file less', () => rmSync(at('src/c.txt')), ['src/c.txt (gone)']],
    [
      'a link instead of a file',
      () => {
        rmSync(at('src/a.txt'));
        symlinkSync('b.txt', at('src/a.txt'));
      },
      ['src/a.txt'],
    ],
    ['what RUN mounts', () => stack.write('bound/x', 'other'), ['bound/x']],
    ['another context', () => stack.write('shared/s.txt', 'other'), ['shared/s.txt']],
    ['.dockerignore', () => stack.write('.dockerignore', 'src/b.txt\n'), ['.dockerignore', 'src/b.txt (gone)']],
    ['the base image', () => base('2'), ['base image mine:1']],
    ['the target', () => section({ target: 'extra' }), ['target (new)']],
    ['a secret', () => section({ secrets: ['one'] }), ['secret one (new)']],
    ['another secret', () => section({ secrets: ['two'] }), ['secret two (new)', 'secret one (gone)']],
    ['a label', () => section({ labels: { some: 'tops3cret' } }), ['label some (new)']],
    ['hosts', () => section({ extra_hosts: ['x=192.0.2.9'] }), ['extra_hosts']],
    ['the network', () => section({ network: 'none' }), ['network']],
    ['limits', () => section({ ulimits: { nofile: 100 } }), ['ulimits']],
    ['the size of /dev/shm', () => section({ shm_size: '32m' }), ['shm_size (new)']],
  ];
  for (const [what, change, expected] of changes) {
    await change();
    const { changed } = await planned(stack, env);
    expect([...changed!].sort(), what).toEqual([...expected].sort());
    if (expected.length > 0) await stack.ok(['build'], { env });
  }

  // Another one of the name: what that was built from, nobody knows.
  await stack.ok(['image', 'tag', 'busybox:1', 'told-web']);
  expect((await planned(stack, env)).cause).toBe('--build');

  const folder = join(world.host.root, 'build/inputs');
  const kept = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.join('')).not.toContain('tops3cret');
}, 180_000);

test('the text of a plan, and of `up`, names the first few', async () => {
  const stack = world.project('few', {
    services: { web: { init: true, pull_policy: 'build', build: { context: '.' } } },
  });
  stack.write('Dockerfile', 'FROM busybox:1\nCOPY many /many\nCMD ["sleep", "1000000"]\n');
  mkdirSync(join(stack.folder, 'many'));
  const all = (content: string) => {
    for (let at = 0; at < 9; at++) stack.write(`many/${at}`, content);
  };
  all('1');
  expect((await stack.stack(['plan'])).stdout).toMatch(/\+ build image few-web +because it is not in the store\n/);
  await stack.ok(['up', '-d']);
  expect((await stack.stack(['plan'])).stdout).toMatch(
    /because its pull policy is build, and nothing has changed since it was built/,
  );
  all('2');
  const words =
    /because its pull policy is build, changed since it was built: many\/0, many\/1, many\/2, many\/3, many\/4 and 4 more\n/;
  expect((await stack.stack(['plan'])).stdout).toMatch(words);
  const up = await stack.stack(['up', '-d', '--progress', 'plain']);
  expect(up, up.stderr).toMatchObject({ code: 0 });
  expect(up.stderr).toMatch(words);
  const kept = () => readdirSync(join(world.host.root, 'build/inputs')).length;
  const before = kept();
  await stack.ok(['down', '--rmi', 'all']);
  await stack.ok(['builder', 'prune', '-af']);
  expect(kept()).toBe(before - 1);
});

test('a Dockerfile that a step copies too is named once', async () => {
  const stack = world.project('self', { services: { web: { build: { context: '.' } } } });
  stack.write('Dockerfile', 'FROM busybox:1\nCOPY . /all\n');
  await stack.ok(['build']);
  stack.write('Dockerfile', 'FROM busybox:1\nCOPY . /all\nLABEL x=1\n');
  expect((await planned(stack)).changed).toEqual(['Dockerfile']);
});
