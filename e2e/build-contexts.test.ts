/** Where the files of a build come from besides the directory of its context: other services, repositories, layouts. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectError, scenario } from './harness/scenario.ts';

const world = scenario();

const onBase = (text: string) => ({
  context: '.',
  dockerfile_inline: text,
  additional_contexts: { base: 'service:base' },
});

test('a service builds on the image of another: the common step runs once', async () => {
  const stack = world.project('joined', {
    services: {
      base: {
        build: { context: '.', dockerfile_inline: 'FROM busybox:1\nENV A=1\nRUN echo from base; echo $$A > /made\n' },
      },
      web: { build: onBase('FROM base\nRUN cat /made && echo A is $$A\nCMD ["sleep", "1000000"]\n') },
      copied: { build: onBase('FROM busybox:1\nCOPY --from=base /made /copied\n') },
    },
  });
  const built = await stack.stack(['build']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  expect(built.stderr).toMatch(/^#\d+ A is 1$/m);
  expect(built.stderr.match(/^#\d+ from base$/gm)).toHaveLength(1);
  const anew = await stack.stack(['build', '--no-cache']);
  expect(anew.stderr.match(/^#\d+ from base$/gm), anew.stderr).toHaveLength(1);
  expect(await stack.stack(['build', '--check'])).toMatchObject({ code: 0 });
  await stack.ok(['up', '-d', 'web']);
  expect(await stack.ok(['exec', '-T', 'web', 'cat', '/made'])).toBe('1\n');
});

test('services that wait for each other, and those that build nothing, are refused', async () => {
  const on = (name: string) => ({
    context: '.',
    dockerfile_inline: 'FROM x\n',
    additional_contexts: { x: `service:${name}` },
  });
  const circle = { a: { build: on('b') }, b: { build: on('c') }, c: { build: on('b') } };
  expectError(await world.project('circle', { services: circle }).stack(['build', 'a']), 1, /b → c → b/);
  const plain = { a: { build: on('b') }, b: { image: 'busybox:1' } };
  expectError(await world.project('plain', { services: plain }).stack(['build', 'a']), 1, /service b is not built/);
});

test('a context out of a git repository, with a branch and a directory', async () => {
  const folder = join(world.host.folder, 'git');
  const repository = join(folder, 'some.git');
  mkdirSync(join(repository, 'inner'), { recursive: true });
  writeFileSync(join(repository, 'inner/Dockerfile'), 'FROM busybox:1\nCOPY a.txt /\nRUN cat /a.txt\n');
  writeFileSync(join(repository, 'inner/a.txt'), 'of the repository\n');
  symlinkSync('/etc/passwd', join(repository, 'inner/Out'));
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.com'];
  for (const args of [
    ['init', '-q', '-b', 'side'],
    ['add', '.'],
    [...who, 'commit', '-qm', 'first'],
  ]) {
    execFileSync('git', args, { cwd: repository });
  }
  const daemon = `exec git daemon --verbose --export-all --listen=127.0.0.1 --base-path=${folder} ${folder} 2>&1`;
  const server = await world.host.background(['sh', '-c', daemon], /Ready/);
  try {
    const context = 'git://127.0.0.1/some.git#side:inner';
    const built = await world.project('git', { services: { web: { build: { context } } } }).stack(['build']);
    expect(built, built.stderr).toMatchObject({ code: 0 });
    expect(built.stderr).toMatch(/^#\d+ of the repository$/m);
    const out = world.project('out', { services: { web: { build: { context, dockerfile: 'Out' } } } });
    expectError(await out.stack(['build']), 1, /Dockerfile Out of git:.* cannot be read: ENOENT/);
    const none = { context: 'git://127.0.0.1/some.git#none' };
    expectError(
      await world.project('none', { services: { web: { build: none } } }).stack(['build']),
      1,
      /#none cannot/,
    );
  } finally {
    await server.stop();
  }
});

test('an image out of an OCI layout', async () => {
  const stack = world.project('layout', {
    services: {
      web: {
        build: {
          context: '.',
          dockerfile_inline: 'FROM given\nRUN echo on the layout\n',
          additional_contexts: { given: 'oci-layout://./given' },
        },
      },
    },
  });
  await world.host.stack(['image', 'pull', 'busybox:1']);
  const archive = join(world.host.folder, 'given.tar');
  await stack.ok(['image', 'save', '-o', archive, 'busybox:1']);
  stack.write('given/.keep', '');
  execFileSync('tar', ['-xf', archive, '-C', join(stack.folder, 'given')]);
  const built = await stack.stack(['build']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  expect(built.stderr).toMatch(/^#\d+ on the layout$/m);
});

test('steps that bind one part of the context see it as it is, and not what the others wrote there', async () => {
  const mount = '--mount=type=bind,source=dir,target=/m,rw';
  const stack = world.project('bound', { services: { web: { build: { context: '.' } } } });
  stack.write('dir/file', 'as it is\n');
  stack.write('dir/left-out', 'secret\n');
  stack.write('.dockerignore', 'dir/left-out\n');
  stack.write(
    'Dockerfile',
    `FROM busybox:1
RUN ${mount} ls /m; echo changed > /m/file; echo more > /m/more
RUN ${mount} ls /m; cat /m/file
`,
  );
  const built = await stack.stack(['build']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  expect(built.stderr.match(/^#\d+ (?:file|more|left-out)$/gm)?.map((line) => line.replace(/^#\d+ /, ''))).toEqual([
    'file',
    'file',
  ]);
  expect(built.stderr).toMatch(/^#\d+ as it is$/m);
  stack.write('dir/file', 'another\n');
  expect((await stack.stack(['build'])).stderr).toMatch(/^#\d+ another$/m);
});

test('a context at an address: an archive, or a Dockerfile alone', async () => {
  const folder = join(world.host.folder, 'served');
  mkdirSync(join(folder, 'inner/sub'), { recursive: true });
  writeFileSync(join(folder, 'inner/sub/Dockerfile'), 'FROM busybox:1\nCOPY sub/a.txt /\nRUN cat /a.txt\n');
  writeFileSync(join(folder, 'inner/sub/a.txt'), 'of the archive\n');
  symlinkSync('/etc/passwd', join(folder, 'inner/Out'));
  execFileSync('tar', ['-czf', join(folder, 'context.tgz'), '-C', join(folder, 'inner'), '.']);
  writeFileSync(join(folder, 'Alone'), 'FROM busybox:1\nRUN echo alone\nCOPY context /itself\nRUN wc -l < /itself\n');
  writeFileSync(join(folder, 'Elsewhere'), 'FROM busybox:1\nCOPY own.txt /\nRUN cat /own.txt\n');
  const serve = `
    const fs = require('node:fs');
    require('node:http').createServer(({ url }, answer) => {
      const path = process.argv[1] + url;
      if (!fs.existsSync(path)) answer.statusCode = 404;
      answer.end(fs.existsSync(path) ? fs.readFileSync(path) : '');
    }).listen(8099, '127.0.0.1', () => console.log('serving'));
  `;
  const server = await world.host.background([process.execPath, '-e', serve, folder], /serving/);
  const at = 'http://127.0.0.1:8099';
  const build = (name: string, section: object) => {
    const stack = world.project(name, { services: { web: { build: section } } });
    stack.write('own.txt', 'of the stack\n');
    return stack;
  };
  try {
    const archive = await build('archive', { context: `${at}/context.tgz`, dockerfile: 'sub/Dockerfile' }).stack([
      'build',
    ]);
    expect(archive, archive.stderr).toMatchObject({ code: 0 });
    expect(archive.stderr).toMatch(/^#\d+ of the archive$/m);
    const alone = await build('alone', { context: `${at}/Alone` }).stack(['build']);
    expect(alone, alone.stderr).toMatchObject({ code: 0 });
    expect(alone.stderr).toMatch(/^#\d+ alone$/m);
    expect(alone.stderr).toMatch(/^#\d+ 4$/m);
    const elsewhere = await build('elsewhere', { context: '.', dockerfile: `${at}/Elsewhere` }).stack(['build']);
    expect(elsewhere, elsewhere.stderr).toMatchObject({ code: 0 });
    expect(elsewhere.stderr).toMatch(/^#\d+ of the stack$/m);

    const out = build('escaping', { context: `${at}/context.tgz`, dockerfile: 'Out' });
    expectError(await out.stack(['build']), 1, /Dockerfile Out of http:.* cannot be read: ENOENT/);
    const none = build('missing', { context: `${at}/none.tgz` });
    expectError(await none.stack(['build']), 1, /none\.tgz cannot be fetched: the server answers 404/);
    const layout = build('main-layout', { context: 'oci-layout:///x' });
    expectError(await layout.stack(['build']), 1, /additional_contexts/);
  } finally {
    await server.stop();
  }
});
