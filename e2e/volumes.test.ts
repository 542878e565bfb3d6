/** Volumes, binds and memory file systems, as the processes in the container find them. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { idle, scenario, shell } from './harness/scenario.ts';

const world = scenario();

test('a named volume starts as a copy of what the image has there, outlives `down`, and goes with `down -v`', async () => {
  const stack = world.project('named', {
    services: { web: { image: 'nginx:1', volumes: ['html:/usr/share/nginx/html'] } },
    volumes: { html: {} },
  });
  await stack.ok(['up', '-d']);
  const page = '/usr/share/nginx/html/index.html';
  expect(await stack.ok(['exec', '-T', 'web', 'cat', page])).toContain('nginx is running');
  await stack.ok(['exec', '-T', 'web', 'sh', '-c', `echo mine > ${page}`]);
  await stack.ok(['down']);
  expect(existsSync(join(world.host.root, 'volumes/named_html/_data/index.html'))).toBe(true);
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'web', 'cat', page])).toBe('mine\n');
  await stack.ok(['down', '-v']);
  expect(existsSync(join(world.host.root, 'volumes/named_html'))).toBe(false);
});

test('the copy into a volume keeps owner and mode of the directory', async () => {
  const stack = world.project('owned', {
    services: { cache: { image: 'redis:7', volumes: ['data:/data'] } },
    volumes: { data: {} },
  });
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'cache', 'stat', '-c', '%U', '/data'])).toBe('redis\n');
  expect(await stack.ok(['exec', '-T', 'cache', 'redis-cli', 'set', 'k', 'v'])).toBe('OK\n');
  await stack.ok(['exec', '-T', 'cache', 'redis-cli', 'save']);
  await stack.ok(['up', '-d', '--force-recreate']);
  expect(
    await stack.ok([
      'exec',
      '-T',
      'cache',
      'sh',
      '-c',
      'until redis-cli ping; do :; done >/dev/null 2>&1; redis-cli get k',
    ]),
  ).toBe('v\n');
});

test('two services share a volume; one of them may only read', async () => {
  const stack = world.project('shared', {
    services: {
      writer: shell('echo written > /out/file && exec sleep 1000000', { init: true, volumes: ['data:/out'] }),
      reader: { ...idle, volumes: ['data:/in:ro'], depends_on: ['writer'] },
    },
    volumes: { data: {} },
  });
  await stack.ok(['up', '-d']);
  const read = ['exec', '-T', 'reader', 'sh', '-c', 'until [ -s /in/file ]; do :; done; cat /in/file'];
  expect(await stack.ok(read)).toBe('written\n');
  const write = await stack.stack(['exec', '-T', 'reader', 'touch', '/in/other']);
  expect(write.code).toBe(1);
  expect(write.stderr).toMatch(/read-only file system/i);
});

test('a bind shows the file or the folder of the host; the short form makes a missing source', async () => {
  const stack = world.project('binds', {
    services: {
      one: {
        ...idle,
        volumes: [
          './file.txt:/etc/file.txt:ro',
          './made/by/stack:/data',
          { type: 'bind', source: './file.txt', target: '/x' },
        ],
      },
    },
  });
  const file = stack.write('file.txt', 'from the host\n');
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/etc/file.txt'])).toBe('from the host\n');
  await stack.ok(['exec', '-T', 'one', 'sh', '-c', 'echo from the container > /data/new; echo changed > /x']);
  expect(readFileSync(join(stack.folder, 'made/by/stack/new'), 'utf8')).toBe('from the container\n');
  expect(readFileSync(file, 'utf8')).toBe('changed\n');
  expect((await stack.stack(['exec', '-T', 'one', 'sh', '-c', 'echo no > /etc/file.txt'])).code).not.toBe(0);
});

test('tmpfs mounts are memory, with the size and mode asked for', async () => {
  const stack = world.project('memory', {
    services: {
      one: {
        ...idle,
        tmpfs: ['/short:size=1m,mode=1770'],
        volumes: [{ type: 'tmpfs', target: '/long', tmpfs: { size: '2m', mode: 0o700 } }],
      },
    },
  });
  await stack.ok(['up', '-d']);
  const mounts = await stack.ok(['exec', '-T', 'one', 'cat', '/proc/mounts']);
  expect(mounts).toMatch(/^tmpfs \/short tmpfs \S*size=1024k/m);
  expect(mounts).toMatch(/^tmpfs \/long tmpfs \S*size=2048k/m);
  expect(await stack.ok(['exec', '-T', 'one', 'stat', '-c', '%a', '/short', '/long'])).toBe('1770\n700\n');
});

test('`read_only: true` leaves volumes and memory writable and nothing else', async () => {
  const stack = world.project('sealed', {
    services: { one: { ...idle, read_only: true, tmpfs: ['/tmp'], volumes: ['data:/data'] } },
    volumes: { data: {} },
  });
  await stack.ok(['up', '-d']);
  const touch = (path: string) => stack.stack(['exec', '-T', 'one', 'touch', path]);
  expect((await touch('/root/file')).code).toBe(1);
  expect((await touch('/etc/file')).code).toBe(1);
  expect((await touch('/tmp/file')).code).toBe(0);
  expect((await touch('/data/file')).code).toBe(0);
  expect((await touch('/dev/shm/file')).code).toBe(0);
});

test('what a container writes to its own layer is gone with it, and the image is untouched', async () => {
  const stack = world.project('layer', { services: { one: idle } });
  await stack.ok(['up', '-d']);
  await stack.ok(['exec', '-T', 'one', 'sh', '-c', 'rm /etc/group && echo x >> /etc/passwd && mkdir /new']);
  await stack.ok(['restart', '-t', '0']);
  expect((await stack.stack(['exec', '-T', 'one', 'test', '-d', '/new'])).code).toBe(0);
  await stack.ok(['up', '-d', '--force-recreate']);
  expect((await stack.stack(['exec', '-T', 'one', 'test', '-e', '/new'])).code).toBe(1);
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/etc/group'])).toContain('root:x:0:');
  expect(await stack.ok(['exec', '-T', 'one', 'grep', '-c', '^x$', '/etc/passwd']).catch(() => '0\n')).toBe('0\n');
});

test('an anonymous volume of the image holds the data of its container', async () => {
  const stack = world.project('anonymous', { services: { cache: { image: 'redis:7' } } });
  await stack.ok(['up', '-d']);
  const mounts = await stack.ok(['exec', '-T', 'cache', 'cat', '/proc/self/mounts']);
  expect(mounts).toMatch(/ \/data /);
  await stack.ok(['down', '-v']);
  expect(await world.host.leaks()).toEqual([]);
});

test('a bind keeps what it is of: the host sees owner and mode the container gave', async () => {
  const stack = world.project('modes', { services: { one: { ...idle, volumes: ['./data:/data'] } } });
  await stack.ok(['up', '-d']);
  await stack.ok(['exec', '-T', 'one', 'sh', '-c', 'touch /data/f && chown 12:34 /data/f && chmod 640 /data/f']);
  const { uid, gid, mode } = statSync(join(stack.folder, 'data/f'));
  expect([uid, gid, mode & 0o777]).toEqual([12, 34, 0o640]);
});
