/** Volumes with options, and the other forms of mounts, as processes in containers and the machine see them. */
import { chownSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectError, idle, scenario, shell } from './harness/scenario.ts';

const world = scenario();

test('a volume that is a tmpfs is one for all its containers, and goes with the last of them', async () => {
  const tmpfs = { driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=2m,mode=1770,noexec' } };
  const stack = world.project('memvol', {
    services: { one: { ...idle, volumes: ['data:/a'] }, two: { ...idle, volumes: ['data:/b:ro'] } },
    volumes: { data: tmpfs },
  });
  await stack.ok(['up', '-d']);
  await stack.ok(['exec', '-T', 'one', 'sh', '-c', 'echo shared > /a/file']);
  expect(await stack.ok(['exec', '-T', 'two', 'cat', '/b/file'])).toBe('shared\n');
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/proc/mounts'])).toMatch(/^tmpfs \/a tmpfs rw,\S*size=2048k/m);
  expect(
    (await stack.stack(['exec', '-T', 'one', 'dd', 'if=/dev/zero', 'of=/a/big', 'bs=1M', 'count=3'])).stderr,
  ).toMatch(/No space left/);
  await stack.ok(['down', 'one']);
  expect(await stack.ok(['exec', '-T', 'two', 'cat', '/b/file'])).toBe('shared\n');
  await stack.ok(['down']);
  expect(await world.host.leaks({ volumes: false })).toEqual([]);
});

test('a volume that is a directory of the machine has its options in every container', async () => {
  const stack = world.project('bindvol');
  const bind = (o: string, device: string) => ({ driver: 'local', driver_opts: { type: 'none', o, device } });
  stack.define({
    services: { one: { ...idle, volumes: ['data:/a', 'near:/b'] } },
    volumes: { data: bind('bind,ro,noexec', join(stack.folder, 'there')), near: bind('bind', './there') },
  });
  mkdirSync(join(stack.folder, 'there'));
  writeFileSync(join(stack.folder, 'there/file'), 'host\n');
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/a/file'])).toBe('host\n');
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/proc/mounts'])).toMatch(/ \/a \S+ ro,\S*noexec/);
  await stack.ok(['exec', '-T', 'one', 'touch', '/b/near']);
  expect(await stack.ok(['exec', '-T', 'one', 'ls', '/a'])).toBe('file\nnear\n');
  await stack.ok(['down', '-v']);
  expect(readFileSync(join(stack.folder, 'there/file'), 'utf8')).toBe('host\n');
});

test('a file system that the kernel has not is refused by its name, and nothing is left', async () => {
  const stack = world.project('nonfs', {
    services: { one: { ...idle, volumes: ['data:/a'] } },
    volumes: { data: { driver_opts: { type: 'nfs', o: 'addr=127.0.0.1,nolock', device: ':/srv' } } },
  });
  const { code, stderr } = await stack.stack(['up', '-d']);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/volume nonfs_data: (this kernel has no file system nfs|:\/srv cannot be mounted as nfs)/);
  expect(await world.host.leaks()).toEqual([]);
});

test('a path below a volume is what the container gets, and a link that leads out is refused at the start too', async () => {
  const stack = world.project('subpath', {
    services: {
      all: shell('mkdir -p /v/a/b && echo inside > /v/a/b/file && exec sleep 1000000', {
        init: true,
        volumes: ['v:/v'],
      }),
      one: {
        ...idle,
        depends_on: ['all'],
        volumes: [{ type: 'volume', source: 'v', target: '/one', volume: { subpath: 'a/b' } }],
      },
    },
    volumes: { v: {} },
  });
  await stack.ok(['up', '-d', 'all']);
  await stack.ok(['exec', '-T', 'all', 'sh', '-c', 'until [ -s /v/a/b/file ]; do :; done']);
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/one/file'])).toBe('inside\n');
  await stack.ok(['stop', '-t', '0', 'one']);
  await stack.ok(['exec', '-T', 'all', 'sh', '-c', 'rm -r /v/a && ln -s /etc /v/a && ln -s ../../../.. /v/up']);
  const again = await stack.stack(['start', 'one']);
  expect(again.code).not.toBe(0);
  expect(again.stderr).toContain('the subpath a/b leads out of the volume');
});

test('what a container makes in a bind with x-idmap belongs to the owner of the folder', async () => {
  const data = { type: 'bind', source: './data', target: '/data', 'x-idmap': true };
  const stack = world.project('owners', {
    services: { root: { ...idle, volumes: [data] }, user: { ...idle, user: '33:34', volumes: [data] } },
  });
  mkdirSync(join(stack.folder, 'data'));
  chownSync(join(stack.folder, 'data'), 1234, 1235);
  await stack.ok(['up', '-d']);
  await stack.ok(['exec', '-T', 'root', 'touch', '/data/root']);
  await stack.ok(['exec', '-T', 'user', 'touch', '/data/user']);
  for (const name of ['root', 'user']) {
    const { uid, gid } = statSync(join(stack.folder, 'data', name));
    expect([name, uid, gid]).toEqual([name, 1234, 1235]);
  }
  expect(await stack.ok(['exec', '-T', 'user', 'stat', '-c', '%u:%g', '/data', '/data/root'])).toBe('33:34\n33:34\n');
  expect(await stack.ok(['exec', '-T', 'root', 'stat', '-c', '%u:%g', '/data', '/data/user'])).toBe('0:0\n0:0\n');
});

test('mounts below a bind: they come along, stay away, or stay writable, as it says; and later ones where it is a slave', async () => {
  const bind = (target: string, more: object, isReadOnly = false) => ({
    ...{ type: 'bind', source: './tree', target, read_only: isReadOnly },
    bind: more,
  });
  const stack = world.project('below', {
    services: {
      one: {
        ...idle,
        volumes: [
          bind('/all', {}, true),
          bind('/alone', { recursive: 'disabled' }),
          bind('/writable', { recursive: 'writable' }, true),
          bind('/sealed', { recursive: 'readonly' }, true),
          bind('/slave', { propagation: 'rslave' }),
        ],
      },
    },
  });
  const tree = join(stack.folder, 'tree');
  mkdirSync(join(tree, 'below'), { recursive: true });
  mkdirSync(join(tree, 'later'));
  await world.host.read(
    `mount -t tmpfs tmpfs ${tree} && mkdir ${tree}/below ${tree}/later && mount --make-rshared ${tree}`,
  );
  await world.host.read(`mount -t tmpfs tmpfs ${tree}/below && touch ${tree}/below/file`);
  try {
    await stack.ok(['up', '-d']);
    const sh = (script: string) => stack.stack(['exec', '-T', 'one', 'sh', '-c', script]);
    const ls = async (path: string) => (await sh(`ls ${path}`)).stdout;
    expect([await ls('/all/below'), await ls('/alone/below')]).toEqual(['file\n', '']);
    expect((await sh('touch /all/below/x')).stderr).toMatch(/read-only/i);
    expect((await sh('touch /sealed/below/x')).stderr).toMatch(/read-only/i);
    expect((await sh('touch /writable/x')).stderr).toMatch(/read-only/i);
    expect((await sh('touch /writable/below/x')).code).toBe(0);
    await world.host.read(`mount -t tmpfs tmpfs ${tree}/later && touch ${tree}/later/new`);
    expect([await ls('/slave/later'), await ls('/all/later')]).toEqual(['new\n', '']);
  } finally {
    await stack.ok(['down']);
    await world.host.read(`umount -R ${tree}`);
  }
});

test('an image is mounted for reading, whole or in part, and is pulled for it and kept', async () => {
  const stack = world.project('imagemount', {
    services: {
      one: {
        ...idle,
        volumes: [
          { type: 'image', source: 'nginx:1', target: '/whole' },
          {
            type: 'image',
            source: 'nginx:1',
            target: '/page.html',
            image: { subpath: 'usr/share/nginx/html/index.html' },
          },
          { type: 'image', source: 'busybox:1', target: '/bin2', image: { subpath: 'bin' } },
          { type: 'bind', source: './data', target: '/data', 'x-idmap': true, bind: { create_host_path: true } },
        ],
      },
    },
  });
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/page.html'])).toContain('nginx is running');
  expect(await stack.ok(['exec', '-T', 'one', 'ls', '/whole/usr/share/nginx/html'])).toContain('index.html');
  expect((await stack.stack(['exec', '-T', 'one', '/bin2/touch', '/whole/x'])).stderr).toMatch(/read-only/i);
  expect((await world.host.stack(['image', 'rm', 'nginx:1'])).stderr).toMatch(/imagemount-one-1/);
  await stack.ok(['restart', '-t', '0']);
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/page.html'])).toContain('nginx is running');
});

test('a memory volume too small for what the image has: the error says so, and nothing half made is left', async () => {
  const stack = world.project('toosmall', {
    services: { web: { image: 'nginx:1', volumes: ['all:/usr'] } },
    volumes: { all: { driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=64k' } } },
  });
  expectError(await stack.stack(['up', '-d']), 1, /volume toosmall_all: tmpfs is full/, /size=/);
  expect(await world.host.leaks()).toEqual([]);
});

test('loops: the machine’s root in a container, with the container in it; a file system of itself; a link to itself', async () => {
  const root = { type: 'bind', source: '/', target: '/host', bind: { propagation: 'rslave' } };
  const stack = world.project('loops', {
    services: { one: { ...idle, volumes: [root, `${world.host.root}:/state:ro`] } },
  });
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'one', 'ls', '-d', '/host/etc', '/state/stacks'])).toBe(
    '/host/etc\n/state/stacks\n',
  );
  await stack.ok(['down']);
  expect(await world.host.leaks()).toEqual([]);
  const own = join(world.host.root, 'volumes/loops_v/_data');
  stack.define({
    services: { one: { ...idle, volumes: ['v:/v'] } },
    volumes: {
      v: { driver_opts: { type: 'overlay', device: 'overlay', o: `lowerdir=${own},upperdir=${own},workdir=${own}` } },
    },
  });
  expectError(await stack.stack(['up', '-d']), 1, /volume loops_v: overlay cannot be mounted as overlay: E/);
  expect(await world.host.leaks()).toEqual([]);
  symlinkSync('self', join(stack.folder, 'self'));
  stack.define({ services: { one: { ...idle, volumes: ['./self:/v'] } } });
  expectError(await stack.stack(['up', '-d']), 1, /self cannot be used: ELOOP/);
});

test('with a root that is read-only, memory, volumes and secrets are what a user who is not root can use', async () => {
  const stack = world.project('readonly', {
    services: {
      one: {
        ...idle,
        user: '1000:1000',
        read_only: true,
        tmpfs: ['/tmp:size=1m', '/run:uid=1000,mode=700'],
        volumes: [{ type: 'tmpfs', target: '/scratch', tmpfs: { size: '64k', mode: 0o1777 } }, 'data:/data'],
        secrets: [{ source: 'key', uid: '1000', mode: 0o400 }],
      },
    },
    volumes: { data: {} },
    secrets: { key: { environment: 'KEY' } },
  });
  const env = { ...world.host.env, KEY: 'k3y' };
  await stack.ok(['up', '-d'], { env });
  const sh = (script: string) => stack.stack(['exec', '-T', 'one', 'sh', '-c', script], { env });
  expect((await sh('cat /run/secrets/key')).stdout).toBe('k3y');
  expect((await sh('touch /tmp/a /run/a /scratch/a')).code).toBe(0);
  expect((await sh('touch /a')).stderr).toMatch(/read-only/i);
  expect((await sh('dd if=/dev/zero of=/scratch/big bs=4k count=32')).stderr).toMatch(/No space left/);
});

test('a size of a container’s layer, or of a volume, is refused where the file system keeps no quotas', async () => {
  const stack = world.project('nosize', { services: { one: { ...idle, storage_opt: { size: '10m' } } } });
  const words = /keeps no quotas of projects: E/;
  expectError(await stack.stack(['up', '-d']), 1, /services\.one\.storage_opt\.size: /, words, /prjquota/);
  stack.define({
    services: { one: { ...idle, volumes: ['v:/v'] } },
    volumes: { v: { driver_opts: { size: '10m' } } },
  });
  expectError(await stack.stack(['up', '-d']), 1, /volumes\.v\.driver_opts\.size: /, words);
  expect(await world.host.leaks()).toEqual([]);
});

test('x-idmap on a file system that has no idmapped mounts is an error that says so', async () => {
  const stack = world.project('noidmap', {
    services: {
      one: { ...idle, volumes: [{ type: 'bind', source: './ram', target: '/data', 'x-idmap': { uid: 7, gid: 7 } }] },
    },
  });
  const ram = join(stack.folder, 'ram');
  mkdirSync(ram);
  await world.host.read(`mount -t ramfs ramfs ${ram}`);
  try {
    expectError(await stack.stack(['up', '-d']), 1, /map the owners of \S+ram failed: EINVAL/, /x-idmap/);
  } finally {
    await world.host.read(`umount ${ram}`);
  }
});
