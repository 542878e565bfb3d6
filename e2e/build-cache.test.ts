/** What keeps the cache, what empties it, and what must not get into it. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { scenario } from './harness/scenario.ts';

const world = scenario();

const layers = () => {
  const folder = join(world.host.root, 'layers');
  return readdirSync(folder).map((chain) => readdirSync(join(folder, chain)));
};
/** Whether all layers would still count if the machine stopped now. */
const isSettled = async () => layers().every((names) => names.includes('done'));

test('.dockerignore holds for what RUN mounts, too', async () => {
  const stack = world.project('ignored', { services: { web: { build: { context: '.' } } } });
  stack.write('.dockerignore', '**/*.key\n!sub/public.key\n');
  for (const file of ['a.key', 'sub/b.key', 'sub/public.key', 'c']) stack.write(file, file);
  stack.write(
    'Dockerfile',
    'FROM busybox:1\nRUN --mount=target=/m test ! -e /m/a.key && test ! -e /m/sub/b.key && test -e /m/sub/public.key && test -e /m/c\n',
  );
  const done = await stack.stack(['build']);
  expect(done, done.stderr).toMatchObject({ code: 0 });
});

test('the cache stays when images go, is counted, and goes when it is told to', async () => {
  const stack = world.project('kept', { services: { web: { image: 'kept:1', build: { context: '.' } } } });
  const text = (more = '') => `FROM busybox:1
RUN --mount=type=cache,target=/c head -c 2000000 /dev/urandom > /c/x && head -c 3000000 /dev/urandom > /big${more}
FROM busybox:1
COPY --from=0 /big /copied
`;
  stack.write('Dockerfile', text());
  const build = async () => (await stack.stack(['build'])).stderr;
  await build();
  await stack.ok(['image', 'rm', 'kept:1']);
  await stack.ok(['image', 'prune', '-af']);
  expect(await build()).not.toMatch(/ DONE /);
  const df = async () =>
    JSON.parse(await stack.ok(['system', 'df', '-v', '--format', 'json'])) as {
      BuildCache: { CacheType: string; Shared: string }[];
    };
  const kinds = (await df()).BuildCache.map(({ CacheType }) => CacheType).filter((kind) => kind === 'exec.cachemount');
  expect(kinds.length).toBeGreaterThan(0);
  expect(await stack.stack(['system', 'check'])).toMatchObject({ code: 0, stdout: 'Nothing is missing or damaged.\n' });

  await until('all layers have reached the disk', isSettled);

  // What the image has too stays without -a: it frees nothing.
  expect(await stack.ok(['builder', 'prune', '-f', '--filter', 'until=1h'])).toBe('Total reclaimed space: 0B\n');
  expect(await stack.ok(['builder', 'prune', '-f'])).toMatch(
    /^Deleted build cache objects:\n(.*\n)+\nTotal reclaimed space: \d+(\.\d+)?MB\n$/,
  );
  expect((await df()).BuildCache.every(({ Shared }) => Shared === 'true')).toBe(true);
  expect(await build()).toMatch(/ DONE /);
  await stack.ok(['builder', 'prune', '-af']);
  expect((await df()).BuildCache).toEqual([]);

  // The least recently used first.
  stack.write('Dockerfile', text(' && true'));
  await build();
  stack.write('Dockerfile', text());
  await build();
  await stack.ok(['builder', 'prune', '-af', '--keep-storage', '10MB']);
  expect(await build()).not.toMatch(/ DONE /);
  await stack.ok(['gc', '--keep', '0']);
  expect((await df()).BuildCache).toEqual([]);
  expect(readdirSync(join(world.host.root, 'layers'))).toEqual([]);
}, 120_000);

test('a full disk: said so, nothing half made, and a second try works', async () => {
  const stack = world.project('full', { services: { web: { image: 'full:1', build: { context: '.' } } } });
  stack.write('Dockerfile', 'FROM busybox:1\nRUN head -c 30000000 /dev/urandom > /big\nCOPY big /copied\n');
  const small = join(world.host.folder, 'small');
  await world.host.read(
    `mkdir ${small} && mount -t tmpfs -o size=40m tmpfs ${small} && head -c 30000000 /dev/urandom > ${stack.folder}/big`,
  );
  const env = { STACK_ROOT: small };
  try {
    for (const times of [1, 2]) {
      const done = await stack.stack(['build'], { env });
      expect(done.code, `${times}: ${done.stderr}`).toBe(1);
      expect(done.stderr).toMatch(/No space left on the disk/);
      expect(await stack.ok(['image', 'ls', '-q', 'full:1'], { env })).toBe('');
      expect(await stack.stack(['system', 'check'], { env })).toMatchObject({ code: 0 });
      // Then in the RUN step itself.
      stack.write('Dockerfile', 'FROM busybox:1\nRUN head -c 60000000 /dev/urandom > /big\n');
    }
    await world.host.read(`mount -o remount,size=300m ${small}`);
    expect(await stack.stack(['build'], { env })).toMatchObject({ code: 0 });
  } finally {
    await world.host.read(`umount ${small} && rmdir ${small}`);
  }
});

test('locked caches wait for each other and never in a circle', async () => {
  const stack = world.project('locked', { services: { web: { build: { context: '.' } } } });
  const mount = (id: string, at: string) => `--mount=type=cache,sharing=locked,id=${id},target=/${at}`;
  stack.write(
    'Dockerfile',
    `FROM busybox:1 AS one
RUN ${mount('x', 'x')} ${mount('y', 'y')} sleep 0.2; echo 1 > /1
FROM busybox:1 AS two
RUN ${mount('y', 'y')} ${mount('x', 'x')} sleep 0.2; echo 2 > /2
FROM busybox:1
RUN ${mount('z', 'a')} ${mount('z', 'b')} echo same > /a/file && cat /b/file
COPY --from=one /1 /
COPY --from=two /2 /
`,
  );
  const done = await stack.stack(['build'], { timeoutMs: 20_000 });
  expect(done, done.stderr).toMatchObject({ code: 0 });
});

test('a file that changes between its digest and its copy is never found under its first content', async () => {
  const stack = world.project('race', { services: { web: { build: { context: '.' } } } });
  // The step waits for the locked cache, which this test holds, when it knows its key and has copied nothing yet.
  const lock = join(
    world.host.root,
    'build/caches',
    `${createHash('sha256').update('held').digest('hex').slice(0, 32)}.lock`,
  );
  stack.write(
    'Dockerfile',
    'FROM busybox:1\nRUN --mount=type=cache,id=held,sharing=locked,target=/c --mount=source=a.txt,target=/a.txt cp /a.txt /made\nCMD ["cat", "/made"]\n',
  );
  stack.write('a.txt', 'first\n');
  await world.host.read(`mkdir -p ${dirname(lock)}`);
  const hold = `import fcntl, time; f = open("${lock}", "w"); fcntl.flock(f, fcntl.LOCK_EX); print("held", flush=True); time.sleep(1000)`;
  const holder = await world.host.background(['python3', '-c', hold], /held/);
  const live = stack.start(['build']);
  const locks = join(world.host.root, 'build/locks');
  await until('the step has its key', () => existsSync(locks) && readdirSync(locks).length > 0);
  stack.write('a.txt', 'second\n');
  await holder.stop();
  const done = await live.exited;
  expect(done, done.stderr).toMatchObject({ code: 0 });
  expect(done.stderr).toMatch(/warning: .*changed while .*RUN.*\(.*Dockerfile:2/);
  stack.write('a.txt', 'first\n');
  await stack.ok(['build']);
  expect(await stack.ok(['run', '--rm', '-T', 'web'])).toBe('first\n');
});

test('layers of builds that failed, and of stages that are in no image, reach the disk too', async () => {
  const stack = world.project('fresh', { services: { web: { build: { context: '.' } } } });
  const text = (end: string) =>
    `FROM busybox:1 AS one\nRUN echo made > /made; echo same > /same\nFROM busybox:1\nCOPY --from=one /same /\nRUN ${end}\n`;
  stack.write('Dockerfile', text('false'));
  const before = layers().length;
  expect(await stack.stack(['build'])).toMatchObject({ code: 1 });
  expect(layers()).toHaveLength(before + 2);
  await until('the layers have reached the disk', isSettled);
  stack.write('Dockerfile', text('true'));
  const built = await stack.stack(['build']);
  expect(built.stderr.match(/ DONE /g), built.stderr).toHaveLength(1);
  await until('the new one has, too', isSettled);
});
