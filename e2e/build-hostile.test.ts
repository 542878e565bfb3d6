/** Dockerfiles, contexts and archives that mean ill, or are mistaken: one clear error, and nothing of the host. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { scenario } from './harness/scenario.ts';

const world = scenario();

function demo(name: string, text: string, build: object = {}) {
  const stack = world.project(name, { services: { web: { build: { context: '.', ...build } } } });
  stack.write('Dockerfile', text);
  return stack;
}

/** Without progress, and without where this machine keeps the project. */
async function errorOf(stack: ReturnType<typeof demo>) {
  const done = await stack.stack(['build'], { timeoutMs: 20_000 });
  expect(done.code, done.stderr).toBe(1);
  const lines = done.stderr.split('\n').filter((line) => !/^#\d+ /.test(line));
  return lines.join('\n').replaceAll(stack.folder, '<folder>').trimEnd();
}

describe('mistakes are told with their place', () => {
  test.each([
    ['a word that is no instruction', 'FROM busybox:1\nRUNN true\n'],
    ['a flag that is none', 'FROM busybox:1\nCOPY --chwon=1 a b\n'],
    ['a stage that is none', 'FROM busybox:1 AS base\nCOPY --from=bsae /a /b\n'],
    ['stages that wait for each other', 'FROM b AS a\nFROM a AS b\n'],
    ['a stage that takes from itself', 'FROM busybox:1 AS one\nCOPY --from=one /a /b\n'],
    ['a file that is not there', 'FROM busybox:1\n\nCOPY nothing.txt /\n'],
    ['a way out of the context', 'FROM busybox:1\nCOPY ../../../etc/passwd /p\n'],
    ['a command that is not there', 'FROM busybox:1\nRUN ["no-such-program"]\n'],
    ['a command that fails', 'FROM busybox:1\nRUN echo why && exit 3\n'],
    ['a base image that no registry has', 'FROM busybox:1 AS one\nFROM nowhere:1\n'],
    ['a text that never ends', 'FROM busybox:1\nRUN <<END\ntrue\n'],
    ['an instruction before FROM', 'RUN true\nFROM busybox:1\n'],
    ['a file in the way', 'FROM busybox:1\nCOPY Dockerfile /etc/passwd/x\n'],
  ])('%s', async (title, text) => {
    expect(await errorOf(demo('mistake', text))).toMatchSnapshot(title);
  });

  test('a target that is none', async () => {
    expect(await errorOf(demo('target', 'FROM busybox:1 AS build\n', { target: 'biuld' }))).toMatchSnapshot();
  });

  test('a Dockerfile that is not there', async () => {
    expect(await errorOf(demo('absent', '', { dockerfile: 'other/Dockerfile' }))).toMatchSnapshot();
  });
});

test.each(['Dockerfile', '.dockerignore'])(
  'a %s that is a fifo, a device or a directory is refused at once',
  async (name) => {
    const stack = demo(`kinds-${name.length}`, 'FROM busybox:1\nCOPY . /all\n');
    const path = join(stack.folder, name);
    for (const make of [`mkfifo ${path}`, `ln -s /dev/zero ${path}`, `mkdir ${path}`]) {
      await world.host.read(`rm -rf ${path}; ${make}`);
      expect(await errorOf(stack), make).toMatch(new RegExp(`${name} cannot be read: (it is no file|EISDIR)`));
    }
  },
);

test('a base image that goes: while a build is on it, and before the next one', async () => {
  const base = world.project('base', { services: { web: { image: 'mine:1', build: { context: '.' } } } });
  base.write('Dockerfile', 'FROM busybox:1\nRUN echo base > /base\n');
  await base.ok(['build']);
  const wait = 'while test ! -e /c/go; do sleep 0.1; done';
  const text = `FROM mine:1\nRUN --mount=type=cache,id=gate,target=/c echo begun; ${wait}\nRUN cat /base > /copy\n`;
  const stack = demo('vanished', text);
  const live = stack.start(['build']);
  await live.output(/^#\d+ begun/m);
  // While it is built on, nothing takes it away.
  expect((await stack.stack(['image', 'rm', '-f', 'mine:1'])).stderr).toMatch(/used by a command that is at work/);
  await stack.ok(['builder', 'prune', '-af']);
  await stack.ok(['gc', '--keep', '0']);
  await world.host.read(`cd ${world.host.root}/build/caches/*/data && touch go`);
  expect(await live.exited).toMatchObject({ code: 0 });
  const id = async () => stack.ok(['image', 'ls', '-q', '--no-trunc', 'vanished-web']);
  const before = await id();
  await stack.ok(['image', 'rm', '-f', 'mine:1']);
  expect(await errorOf(stack)).toMatch(/Dockerfile:1:6: .*mine:1/);
  expect(await id()).toBe(before);
  expect(await stack.ok(['run', '--rm', '-T', 'web', 'cat', '/copy'])).toBe('base\n');
});

test('.dockerignore may hide the Dockerfile: it is read, and not copied', async () => {
  const stack = demo('hidden', 'FROM busybox:1\nCOPY . /all\nRUN test ! -e /all/Dockerfile && test -e /all/a\n');
  stack.write('.dockerignore', 'Dockerfile\n.dockerignore\n');
  stack.write('a', '');
  expect(await stack.stack(['build'])).toMatchObject({ code: 0 });
});

test('links of the context that lead out are links, and never what they lead to', async () => {
  const stack = demo('links', 'FROM busybox:1\nCOPY dir /dir\nRUN readlink /dir/shadow && test -L /dir/inner\n');
  mkdirSync(join(stack.folder, 'dir'));
  symlinkSync('/etc/shadow', join(stack.folder, 'dir/shadow'));
  symlinkSync('/etc', join(stack.folder, 'dir/inner'));
  const done = await stack.stack(['build']);
  expect(done.stderr).toMatch(/^#\d+ \/etc\/shadow$/m);
  expect(done.code).toBe(0);
  for (const from of ['dir/shadow', 'dir/inner/hostname']) {
    stack.write('Dockerfile', `FROM busybox:1\nCOPY ${from} /x\n`);
    expect(await errorOf(stack)).toMatch(/is not in the build context/);
  }
});

test('links of the image that lead out lead to the image', async () => {
  const mark = join(world.host.folder, 'outside');
  mkdirSync(mark);
  const stack = demo(
    'target',
    `FROM busybox:1
RUN ln -s ${mark} /way && ln -s ../../../../../../../..${mark} /up && ln -s /nowhere/file /file
COPY Dockerfile /way/a
COPY Dockerfile /up/b
ADD t.tar /way/
COPY Dockerfile /file
WORKDIR /way/inner
RUN test -f ${mark}/a && test -f ${mark}/b && test -f ${mark}/t && test -f /nowhere/file && test -d ${mark}/inner
`,
  );
  stack.write('t', 't\n');
  execFileSync('tar', ['-cf', 't.tar', 't'], { cwd: stack.folder });
  const done = await stack.stack(['build']);
  expect(done, done.stderr).toMatchObject({ code: 0 });
  expect(execFileSync('ls', ['-A', mark], { encoding: 'utf8' })).toBe('');
});

test('ADD: archives that lead out, and what only looks like one', async () => {
  const stack = demo(
    'archives',
    `FROM busybox:1
ADD link.tar /into/
RUN test -f /into/target/file && test ! -e /target
ADD up.tar /up/
ADD pipe /pipe
ADD no.tar.gz /no/
`,
  );
  const script = `
import tarfile, io
def add(t, name, kind=tarfile.REGTYPE, link='', data=b'x'):
    i = tarfile.TarInfo(name); i.type = kind; i.linkname = link
    if kind == tarfile.REGTYPE: i.size = len(data); t.addfile(i, io.BytesIO(data))
    else: t.addfile(i)
with tarfile.open('link.tar', 'w') as t:
    add(t, 'way', tarfile.SYMTYPE, '/target'); add(t, 'way/file')
with tarfile.open('up.tar', 'w') as t:
    add(t, '../../../../../../../../evil')
with tarfile.open('size.tar', 'w') as t:
    i = tarfile.TarInfo('big'); i.size = 1 << 62; t.addfile(i, None)
with tarfile.open('device.tar', 'w') as t:
    i = tarfile.TarInfo('etc/link'); i.type = tarfile.SYMTYPE; i.linkname = '/proc/self/root'; t.addfile(i)
    add(t, 'etc/link/evil')
with tarfile.open('hard.tar', 'w') as t:
    add(t, 'h', tarfile.LNKTYPE, '../../../../etc/shadow')
`;
  execFileSync('python3', ['-c', script], { cwd: stack.folder });
  execFileSync(
    'sh',
    ['-c', 'head -c 3000000 /dev/urandom > r && tar -czf w.tar.gz r && head -c 1000000 w.tar.gz > cut.tar.gz'],
    {
      cwd: stack.folder,
    },
  );
  execFileSync('mkfifo', [join(stack.folder, 'pipe')]);
  stack.write('no.tar.gz', 'not compressed');
  const done = await stack.stack(['build'], { timeoutMs: 20_000 });
  expect(done.stderr).toMatch(/up\.tar|evil/);
  expect(done.code).toBe(1);
  stack.write(
    'Dockerfile',
    'FROM busybox:1\nADD link.tar /into/\nRUN test -L /into/way\nADD pipe /p\nADD no.tar.gz /no/\nRUN test -p /p && test -f /no/no.tar.gz\n',
  );
  expect(await stack.stack(['build'], { timeoutMs: 20_000 })).toMatchObject({ code: 0 });
  stack.write('Dockerfile', 'FROM busybox:1\nADD hard.tar /hard/\n');
  expect(await errorOf(stack)).toMatchSnapshot('a hard link that leads out');
  stack.write('Dockerfile', 'FROM busybox:1\nADD up.tar /up/\n');
  expect(await errorOf(stack)).toMatchSnapshot('a name that leads out');
  stack.write('Dockerfile', 'FROM busybox:1\nADD cut.tar.gz /cut/\n');
  expect(await errorOf(stack)).toMatchSnapshot('cut off');
  stack.write('Dockerfile', 'FROM busybox:1\nADD size.tar /size/\n');
  expect(await errorOf(stack)).toMatchSnapshot('a size beyond its end');
  stack.write('Dockerfile', 'FROM busybox:1\nADD device.tar /d/\n');
  await stack.stack(['build'], { timeoutMs: 20_000 });
  expect(existsSync('/evil')).toBe(false);
});
