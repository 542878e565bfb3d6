/** `stack watch`: what is saved is in the container, and what it asks for happens. */
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { expectError, idle, listed, scenario } from './harness/scenario.ts';

const world = scenario();
type Stack = ReturnType<typeof world.project>;

const rule = (more: object) => ({ develop: { watch: [{ path: './src', target: '/app', action: 'sync', ...more }] } });

/** Path, kind, mode, owner and content or target of everything below a directory, as `find` and `stat` of busybox tell. */
const tree = (stack: Stack, directory = '/app', service = 'web') =>
  stack.ok(['exec', '-T', service, 'sh', '-c', list(directory)]);
const list = (directory: string) =>
  `cd ${directory} && find . -mindepth 1 | sort | while read -r f; do if [ -L "$f" ]; then echo "$f -> $(readlink "$f")"; elif [ -d "$f" ]; then echo "$f/ $(stat -c %a:%u:%g "$f")"; else echo "$f $(stat -c %a:%u:%g "$f") $(md5sum < "$f")"; fi; done`;

async function watching(stack: Stack, args: string[] = ['watch']) {
  const live = stack.start(args, { timeoutMs: 110_000 });
  await live.output(/Watching \d+ directories/, 60_000);
  return {
    live,
    async [Symbol.asyncDispose]() {
      live.kill('SIGINT');
      const done = await live.exited;
      expect(done.code, done.stderr).toBe(130);
    },
  };
}

test('content, modes, links, renames and removals arrive, with a word why', async () => {
  const stack = world.project('sync', { services: { web: { ...idle, ...rule({}) } } });
  stack.write('src/a.txt', 'one');
  await using watch = await watching(stack);
  const at = (path: string) => join(stack.folder, 'src', path);
  const same = async (what: string) => {
    const expected = await world.host.read(list(at('')));
    await until(what, async () => (await tree(stack)).trimEnd() === expected);
  };
  stack.write('src/a.txt', 'two');
  await watch.live.output(/web {2}src\/a\.txt → sync, \d+ ms/);
  await same('content');
  stack.write('src/deep/er/b.sh', '#!/bin/sh\n');
  chmodSync(at('deep/er/b.sh'), 0o751);
  chmodSync(at('deep/er'), 0o700);
  symlinkSync('../a.txt', at('deep/link'));
  await same('directories, modes and links');
  chmodSync(at('a.txt'), 0o600);
  await same('a mode alone');
  renameSync(at('deep'), at('moved'));
  await same('a directory that was moved');
  writeFileSync(at('.a.txt.new'), 'three');
  renameSync(at('.a.txt.new'), at('a.txt'));
  await same('an atomic save');
  rmSync(at('moved/link'));
  mkdirSync(at('moved/link'));
  writeFileSync(at('moved/link/c'), 'c');
  await same('a directory in place of a link');
  rmSync(at('moved'), { recursive: true });
  await same('a directory that was removed');
});

test('restart, sync+restart and sync+exec do what they say', async () => {
  const main = 'trap "exit 0" TERM; cat /app/x; while :; do sleep 0.1; done';
  const stack = world.project('actions', {
    services: {
      web: {
        image: 'busybox:1',
        command: ['sh', '-c', main],
        develop: {
          watch: [
            { path: './restart', action: 'restart' },
            { path: './both', target: '/app', action: 'sync+restart' },
            { path: './conf', target: '/conf', action: 'sync+exec', exec: { command: 'cp /conf/c /took' } },
          ],
        },
      },
    },
  });
  for (const file of ['restart/r', 'both/x', 'conf/c']) stack.write(file, 'old\n');
  await using watch = await watching(stack);
  const { ID } = await listed(stack, 'web');
  stack.write('both/x', 'new\n');
  await watch.live.output(/both\/x → restart/);
  await until('the restarted process sees the new file', async () => (await stack.ok(['logs'])).includes('new'));
  stack.write('conf/c', 'configured');
  await watch.live.output(/conf\/c → exec/);
  expect(await stack.ok(['exec', '-T', 'web', 'cat', '/took'])).toBe('configured');
  stack.write('restart/r', 'new');
  await watch.live.output(/restart\/r → restart/);
  expect((await listed(stack, 'web')).ID).toBe(ID);
  expect((await stack.ok(['logs'])).match(/new/g)).toHaveLength(2);
});

test('rebuild makes the image and the container anew; one that fails leaves the old container', async () => {
  const stack = world.project('rebuild', {
    services: {
      web: {
        build: '.',
        init: true,
        develop: { watch: [{ path: '.', action: 'rebuild', ignore: ['*.md'] }] },
      },
    },
  });
  stack.write('Dockerfile', 'FROM busybox:1\nCOPY src /app\nRUN ! grep -q broken /app/a\nCMD ["sleep", "1000000"]\n');
  stack.write('src/a', 'one');
  await using watch = await watching(stack);
  const { ID } = await listed(stack, 'web');
  stack.write('src/a', 'two');
  await watch.live.output(/src\/a → rebuild/);
  const after = await listed(stack, 'web');
  expect(after.ID).not.toBe(ID);
  expect(await stack.ok(['exec', '-T', 'web', 'cat', '/app/a'])).toBe('two');
  stack.write('src/a', 'broken');
  await watch.live.output(/error: .*grep/);
  expect(await listed(stack, 'web')).toMatchObject({ ID: after.ID, State: 'running' });
  expect(watch.live.stderr().match(/error:/g)).toHaveLength(1);
  stack.write('read.md', 'ignored');
  stack.write('src/a', 'three');
  await until(
    'the build after',
    async () => (await stack.stack(['exec', '-T', 'web', 'cat', '/app/a'])).stdout === 'three',
  );
});

test('what was synced is there after a restart and a recreate, and what was edited while nothing ran', async () => {
  const service = { ...idle, ...rule({}) };
  const stack = world.project('kept', { services: { web: service } });
  stack.write('src/a', 'one');
  stack.write('src/b', 'one');
  {
    await using watch = await watching(stack);
    stack.write('src/a', 'two');
    await watch.live.output(/src\/a → sync/);
  }
  await stack.ok(['restart', '-t', '1']);
  expect(await stack.ok(['exec', '-T', 'web', 'cat', '/app/a'])).toBe('two');
  await stack.ok(['up', '-d', '--force-recreate', '-t', '1']);
  expect(await stack.ok(['exec', '-T', 'web', 'sh', '-c', 'cat /app/a; ls /app'])).toBe('twoa\n');
  await stack.ok(['stop', '-t', '1']);
  stack.write('src/b', 'meanwhile');
  rmSync(join(stack.folder, 'src/a'));
  stack.define({
    services: { web: { ...service, command: ['sh', '-c', 'ls /app; exec sleep 1000000'] } },
  });
  await stack.ok(['up', '-d', '-t', '1']);
  expect(await stack.ok(['logs', '--no-log-prefix'])).toBe('b\n');
});

test('a container cannot lead a copy out of its root', async () => {
  const stack = world.project('escape', { services: { web: { ...idle, ...rule({}) } } });
  stack.write('src/d/a', 'one');
  const outside = join(world.host.folder, 'outside');
  mkdirSync(outside);
  await using watch = await watching(stack);
  stack.write('src/d/a', 'two');
  await watch.live.output(/src\/d\/a → sync/);
  const up = '../'.repeat(12);
  await stack.ok(['exec', '-T', 'web', 'sh', '-c', `rm -r /app/d && ln -s ${up}${outside} /app/d`]);
  stack.write('src/d/a', 'three');
  await until('a directory again', async () => (await stack.ok(['exec', '-T', 'web', 'cat', '/app/d/a'])) === 'three');
  await stack.ok(['exec', '-T', 'web', 'sh', '-c', `rm -r /app && mkdir -p ${outside} && ln -s ${up}${outside} /app`]);
  stack.write('src/d/a', 'four');
  await until('inside its root', async () => {
    return (await stack.stack(['exec', '-T', 'web', 'cat', `${outside}/d/a`])).stdout === 'four';
  });
  expect(await world.host.read(`ls -A ${outside}`)).toBe('');
});

test('a rule that means nothing is refused with its place', async () => {
  const stack = world.project('wrong', {});
  const refused = async (watch: object[], ...words: RegExp[]) => {
    stack.define({ services: { web: { ...idle, develop: { watch } } } });
    expectError(await stack.stack(['watch']), 1, /compose\.yaml:\d+:\d+/, ...words);
  };
  stack.write('src/a', '');
  stack.write('other/a', '');
  await refused([{ path: './gone', action: 'sync', target: '/x' }], /gone does not exist/);
  await refused([{ path: './src', action: 'sync', target: 'x' }], /no absolute path/, /\/x/);
  await refused([{ path: '../..', action: 'sync', target: '/x' }], /outside the project/);
  await refused([{ path: './src', action: 'rebuild' }], /no build section/);
  const twice = ['./src', './other'].map((path) => ({ path, action: 'sync', target: '/x' }));
  await refused(twice, /\/x comes from .*other, and from .*src/);
  stack.define({
    services: {
      web: { ...idle, develop: { watch: [{ path: './src', action: 'sync', target: '/x', include: '*.go' }] } },
    },
  });
  await using watch = await watching(stack);
  await watch.live.output(/watch\.0 matches no file/);
});

test('an edit of the stack file shows the plan and is applied', async () => {
  const stack = world.project('edited', { services: { web: { ...idle, ...rule({}) } } });
  stack.write('src/a', 'one');
  await using watch = await watching(stack);
  stack.define({ services: { web: { ...idle, environment: { A: '1' }, ...rule({ target: '/other' }) } } });
  await watch.live.output(/compose\.yaml was edited:\n~ recreate container edited-web-1 +because .*A/);
  await until('watched anew', () => watch.live.stderr().match(/Watching/g)?.length === 2);
  stack.write('src/a', 'two');
  await until(
    'at the new target',
    async () => (await stack.stack(['exec', '-T', 'web', 'cat', '/other/a'])).stdout === 'two',
  );
  expect(await stack.ok(['exec', '-T', 'web', 'sh', '-c', 'echo $A'])).toBe('1\n');
  stack.define('services: {web: {imag: x}}');
  await watch.live.output(/imag/);
  stack.write('src/a', 'three');
  const elsewhere = ['-p', stack.name, 'exec', '-T', 'web', 'cat', '/other/a'];
  await until('as before', async () => (await world.host.stack(elsewhere, { cwd: '/' })).stdout === 'three');
});

test('a save during a build gives that up for a newer one, and one while the service is down arrives later', async () => {
  const develop = {
    watch: [
      { path: './src', action: 'rebuild' },
      { path: './conf', target: '/conf', action: 'sync' },
    ],
  };
  const stack = world.project('stale', { services: { web: { build: '.', init: true, develop } } });
  const run = 'RUN if grep -q slow /app/a; then sleep 30; fi';
  stack.write('Dockerfile', `FROM busybox:1\nCOPY src /app\n${run}\nCMD ["sleep", "1000000"]\n`);
  stack.write('src/a', 'one');
  stack.write('conf/c', 'one');
  await using watch = await watching(stack);
  stack.write('src/a', 'slow');
  await watch.live.output(/Image stale-web {2}.*sleep 30/);
  stack.write('conf/c', 'two');
  await watch.live.output(/conf\/c → sync/);
  stack.write('src/a', 'quick');
  await watch.live.output(/src\/a → rebuild given up for a newer save/);
  await watch.live.output(/src\/a → rebuild,/, 20_000);
  const cat = (path: string) => stack.ok(['exec', '-T', 'web', 'cat', path]);
  expect([await cat('/app/a'), await cat('/conf/c')]).toEqual(['quick', 'two']);
  expect(watch.live.stderr()).not.toMatch(/error:/);
  await stack.ok(['stop', '-t', '1']);
  stack.write('conf/c', 'three');
  await watch.live.output(/web does not run: what was saved arrives when it starts/);
  await stack.ok(['start']);
  await until('it arrived', async () => (await cat('/conf/c')) === 'three');
});

test('`up --watch` shows the logs and watches, on an image without a shell too', async () => {
  const build = {
    context: '.',
    dockerfile_inline: 'FROM busybox:1 AS b\nFROM scratch\nCOPY --from=b /bin/busybox /busybox\nUSER 1000\n',
  };
  const command = [
    '/busybox',
    'sh',
    '-c',
    'echo ready; while /busybox sleep 0.2; do /busybox cat /app/a 2>/dev/null; done',
  ];
  const stack = world.project('bare', { services: { web: { build, command, stop_signal: 'SIGKILL', ...rule({}) } } });
  stack.write('src/a', 'one\n');
  const up = stack.start(['up', '--watch']);
  await up.output(/Watching 2 directories/, 60_000);
  await up.output(/ready/);
  stack.write('src/a', 'said\n');
  await up.output(/web-1\s+\| said/);
  up.kill('SIGINT');
  expect((await up.exited).code).toBe(130);
});

test('a volume at the target is written into, a first comparison copies everything, owners stay', async () => {
  const stack = world.project('mounted', {
    services: {
      web: { ...idle, volumes: ['data:/app'], ...rule({ initial_sync: true, include: ['**/*.txt'] }) },
      sealed: { ...idle, read_only: true, ...rule({}) },
    },
    volumes: { data: {} },
  });
  stack.write('src/d/a.txt', 'one');
  stack.write('src/d/b.md', 'one');
  await using watch = await watching(stack);
  await until('the first copy', async () => (await tree(stack)).includes('./d/a.txt'));
  await stack.ok(['exec', '-T', 'web', 'sh', '-c', 'chown 7:8 /app/d/a.txt; chown 9:9 /app/d; touch /app/d/own']);
  stack.write('src/d/a.txt', 'two');
  stack.write('src/d/n.txt', 'new');
  await watch.live.output(/could not be written: EROFS.*read_only/);
  await until('both', async () => {
    const found = await tree(stack);
    return found.includes('./d/a.txt 644:7:8') && found.includes('./d/n.txt 644:9:9');
  });
  rmSync(join(stack.folder, 'src/d'), { recursive: true });
  await until('only its own is left', async () => /^\.\/d\/ .*\n\.\/d\/own .*\n$/.test(await tree(stack)));
});

test('edits of .env, of a config and of a Dockerfile are applied', async () => {
  const stack = world.project('configured', {
    services: {
      web: { ...idle, build: '.', image: 'configured:1', environment: { A: '${A-}' }, configs: ['c'], ...rule({}) },
    },
    configs: { c: { file: './c.conf' } },
  });
  stack.write('Dockerfile', 'FROM busybox:1\n');
  stack.write('c.conf', 'one');
  stack.write('src/a', 'one');
  await using watch = await watching(stack);
  const says = (script: string) => stack.stack(['exec', '-T', 'web', 'sh', '-c', script]).then(({ stdout }) => stdout);
  stack.write('.env', 'A=new\n');
  await watch.live.output(/\.env was edited:\n~ recreate/);
  await until('the variable', async () => (await says('echo $A')) === 'new\n');
  stack.write('c.conf.new', 'two');
  renameSync(join(stack.folder, 'c.conf.new'), join(stack.folder, 'c.conf'));
  await until('the config', async () => (await says('cat /c')) === 'two');
  stack.write('Dockerfile', 'FROM busybox:1\nRUN echo built > /built\n');
  await until('the image', async () => (await says('cat /built')) === 'built\n');
});
