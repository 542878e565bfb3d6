import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import type { ContainerRecord, ResolvedMount } from '../../schemas/container.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Service } from '../../schemas/project.ts';
import type { Host } from '../host.ts';
import { layout } from '../state/layout.ts';
import { parseTmpfs } from './tmpfs.ts';
import { createVolumes } from './volumes.ts';

const kernel = loadKernel();
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: filling volumes from images needs root');

let dir: string;
let host: Host;
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'stack-volumes-'));
  host = {
    kernel,
    settings: {},
    layout: layout({ STACK_ROOT: join(dir, 'root'), STACK_RUN: join(dir, 'run') }),
  };
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

/** An image of unpacked layers, uppermost first, each made by its function. */
function image(volumes: string[], ...layers: ((root: string) => void)[]): StoredImage {
  return {
    id: 'sha256:test',
    names: [],
    config: { config: { Volumes: Object.fromEntries(volumes.map((path) => [path, {}])) } },
    layers: layers.map((fill, at) => {
      const root = join(dir, `layer${at}`);
      fs.mkdirSync(root);
      fill(root);
      return root;
    }),
  } as unknown as StoredImage;
}

const resolve = (
  config: Pick<Service, 'volumes' | 'tmpfs'>,
  from = image([]),
  replaces?: { mounts: ResolvedMount[] },
) =>
  createVolumes(host).resolve({
    project: {
      name: 'demo',
      volumes: { data: { name: 'demo_data' }, other: { name: 'other', external: true } },
    },
    service: 'web',
    config,
    image: from,
    replaces,
  });

test('a volume is made once, listed, and removed with its content', async () => {
  const volumes = createVolumes(host);
  const record = await volumes.create('demo', 'data', { name: 'demo_data', labels: { a: 'b' } });
  fs.writeFileSync(join(record.path, 'kept'), 'x');
  expect(await volumes.create('demo', 'data', { name: 'demo_data' })).toEqual(record);
  await volumes.create('another', 'x', { name: 'another_x' });
  expect(volumes.list().map((one) => one.name)).toEqual(['another_x', 'demo_data']);
  expect(volumes.list('demo')).toEqual([record]);
  expect(record).toMatchObject({ stack: 'demo', key: 'data', labels: { a: 'b' }, isAnonymous: false });
  await volumes.remove(record);
  expect(volumes.get('demo_data')).toBeNull();
  expect(fs.readdirSync(host.layout.volumes)).toEqual(['another_x']);
});

test('a volume in use is not removed', async () => {
  const volumes = createVolumes(host);
  const record = await volumes.create('demo', 'data', { name: 'demo_data' });
  const mount = { type: 'volume', name: 'demo_data', source: record.path, target: '/d', readOnly: false };
  const container = { name: 'demo-web-1', mounts: [mount] } as unknown as ContainerRecord;
  fs.mkdirSync(host.layout.containerDir('demo', '1f'), { recursive: true });
  fs.writeFileSync(join(host.layout.containerDir('demo', '1f'), 'container.json'), JSON.stringify(container));
  await expect(volumes.remove(record)).rejects.toThrow(/in use by demo-web-1/);
  expect(volumes.get('demo_data')).not.toBeNull();
});

test('names that are no names make nothing', async () => {
  const volumes = createVolumes(host);
  for (const name of ['../x', '', '.hidden', 'a/b']) {
    await expect(volumes.create('demo', 'data', { name })).rejects.toThrow(/cannot be the name of a volume/);
    expect(volumes.get(name)).toBeNull();
  }
  expect(fs.existsSync(host.layout.volumes)).toBe(false);
});

test('a damaged record says so and names the content', async () => {
  const volumes = createVolumes(host);
  const record = await volumes.create('demo', 'data', { name: 'demo_data' });
  fs.writeFileSync(join(record.path, '../volume.json'), '{"name":');
  expect(() => volumes.get('demo_data')).toThrow(expect.objectContaining({ code: 'state.damaged' }));
});

test('mounts come parents first, of every kind', async () => {
  fs.mkdirSync(join(dir, 'host'));
  fs.writeFileSync(join(dir, 'file'), '');
  const mounts = await resolve({
    volumes: [
      { type: 'volume', source: 'data', target: '/data/deep/er/' },
      { type: 'bind', source: join(dir, 'host'), target: '/data', read_only: true, bind: { propagation: 'rslave' } },
      { type: 'bind', source: join(dir, 'file'), target: '/etc/app.conf' },
      { type: 'tmpfs', target: '/scratch', tmpfs: { size: '1048576', mode: 0o700 } },
    ],
    tmpfs: ['/run:size=64m,mode=755,exec', '/tmp'],
  });
  expect(mounts).toEqual([
    { type: 'bind', source: join(dir, 'host'), target: '/data', readOnly: true, propagation: 'rslave' },
    { type: 'tmpfs', target: '/scratch', readOnly: false, size: 1048576, mode: 0o700 },
    { type: 'tmpfs', target: '/run', readOnly: false, options: ['size=64m', 'mode=755', 'exec'] },
    { type: 'tmpfs', target: '/tmp', readOnly: false },
    { type: 'bind', source: join(dir, 'file'), target: '/etc/app.conf', readOnly: false },
    {
      type: 'volume',
      name: 'demo_data',
      source: join(host.layout.volumeDir('demo_data'), '_data'),
      target: '/data/deep/er',
      readOnly: false,
      isAnonymous: false,
    },
  ]);
});

test('a missing bind source is made where it is asked for, and is an error where not', async () => {
  const source = join(dir, 'not/there');
  const bind = { type: 'bind', source, target: '/data' };
  await expect(resolve({ volumes: [{ ...bind, bind: {} }] })).rejects.toThrow(
    expect.objectContaining({ code: 'volume.bind-source' }),
  );
  expect(fs.existsSync(source)).toBe(false);
  await resolve({ volumes: [{ ...bind, bind: { create_host_path: true } }] });
  expect(fs.statSync(source).isDirectory()).toBe(true);
  fs.writeFileSync(join(dir, 'plain'), '');
  await expect(
    resolve({ volumes: [{ ...bind, source: join(dir, 'plain/below'), bind: { create_host_path: true } }] }),
  ).rejects.toThrow(expect.objectContaining({ code: 'volume.bind-source', errno: 'ENOTDIR' }));
});

test.each([
  ['external and missing', { type: 'volume', source: 'other', target: '/d' }, 'volume.not-found'],
  ['not defined', { type: 'volume', source: 'nothing', target: '/d' }, 'config.undefined-reference'],
  ['relative target', { type: 'volume', source: 'data', target: 'd' }, 'config.value'],
  ['the root as target', { type: 'volume', source: 'data', target: '/x/..' }, 'config.value'],
])('refused: %s', async (_, mount, code) => {
  await expect(resolve({ volumes: [mount] })).rejects.toThrow(expect.objectContaining({ code }));
});

test('two mounts on one target are refused, and no anonymous volume stays behind', async () => {
  const config = { volumes: [{ type: 'volume', target: '/d' }], tmpfs: ['/d'] };
  await expect(resolve(config)).rejects.toThrow(/two mounts have the target \/d/);
  expect(fs.readdirSync(host.layout.volumes)).toEqual([]);
});

test.each([
  ['/run', { type: 'tmpfs', target: '/run', readOnly: false }],
  ['/run:ro,size=1g', { type: 'tmpfs', target: '/run', readOnly: true, options: ['ro', 'size=1g'] }],
])('tmpfs %j', (text, expected) => {
  expect(parseTmpfs(text, 'services.web.tmpfs')).toEqual(expected);
});

test.each(['/run:sizes=1g', '/run:size', '/run:exec=1'])('tmpfs %j is refused', (text) => {
  expect(() => parseTmpfs(text, 'services.web.tmpfs')).toThrow(/is not an option of tmpfs/);
});

test.skipIf(!isRoot)('VOLUMEs of the image get anonymous volumes, handed on and removed', async () => {
  const volumes = createVolumes(host);
  const from = image(['/data', '/covered/'], () => {});
  const first = await resolve({ volumes: [{ type: 'volume', source: 'data', target: '/covered' }] }, from);
  const anonymous = first.find((mount) => mount.target === '/data');
  expect(anonymous).toMatchObject({ type: 'volume', isAnonymous: true, name: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const second = await resolve({ tmpfs: ['/covered'] }, from, { mounts: first });
  expect(second.find((mount) => mount.target === '/data')).toEqual(anonymous);
  const third = await resolve({ tmpfs: ['/covered'] }, from);
  expect(third.find((mount) => mount.target === '/data')).not.toEqual(anonymous);
  await volumes.removeAnonymous({ name: 'demo-web-1', mounts: [...first, ...third] });
  expect(volumes.list().map((one) => one.name)).toEqual(['demo_data']);
});

test.skipIf(!isRoot)('kinds that do not fit are named before anything is mounted', async () => {
  fs.mkdirSync(join(dir, 'host'));
  fs.writeFileSync(join(dir, 'file'), '');
  const from = image([], (root) => {
    fs.mkdirSync(join(root, 'etc/conf'), { recursive: true });
    fs.writeFileSync(join(root, 'etc/app.conf'), '');
    fs.symlinkSync('/etc/conf', join(root, 'conf'));
  });
  const on = (source: string, target: string) => resolve({ volumes: [{ type: 'bind', source, target }] }, from);
  await expect(on(join(dir, 'host'), '/etc/app.conf')).rejects.toThrow(
    /host is a directory, \/etc\/app\.conf in the image is a file/,
  );
  await expect(on(join(dir, 'file'), '/etc/conf')).rejects.toThrow(
    expect.objectContaining({ code: 'volume.bind-kind' }),
  );
  await expect(on(join(dir, 'file'), '/conf')).rejects.toThrow(expect.objectContaining({ code: 'volume.bind-kind' }));
  await on(join(dir, 'host'), '/etc/conf');
  await on(join(dir, 'file'), '/etc/new.conf');
});

test.skipIf(!isRoot)('memory in place of a directory keeps its mode, unless one is asked for', async () => {
  const from = image([], (root) => {
    fs.mkdirSync(join(root, 'run/db'), { recursive: true });
    fs.chmodSync(join(root, 'run/db'), 0o2775);
    fs.writeFileSync(join(root, 'run/file'), '');
  });
  const mode = async (tmpfs: string) => (await resolve({ tmpfs: [tmpfs] }, from))[0];
  expect(await mode('/run/db')).toMatchObject({ mode: 0o2775 });
  expect(await mode('/run/db:mode=700')).not.toHaveProperty('mode');
  expect(await mode('/run/new')).not.toHaveProperty('mode');
  await expect(mode('/run/file')).rejects.toThrow(/a tmpfs is a directory, \/run\/file in the image is a file/);
});

/** Type, mode, owner, times, link target, content and hard link partners of everything below a directory. */
function describe(root: string): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  const inodes = new Map<number, string>();
  const visit = (path: string) => {
    const full = join(root, path);
    const status = fs.lstatSync(full, { bigint: true });
    const first = inodes.get(Number(status.ino));
    inodes.set(Number(status.ino), first ?? path);
    all[path] = {
      mode: status.mode.toString(8),
      owner: `${status.uid}:${status.gid}`,
      mtime: String(status.mtimeNs),
      ...(status.isSymbolicLink() ? { to: fs.readlinkSync(full) } : {}),
      ...(status.isFile() ? { content: fs.readFileSync(full, 'utf8'), same: first } : {}),
      ...(status.isCharacterDevice() ? { device: String(status.rdev) } : {}),
    };
    if (status.isDirectory()) for (const name of fs.readdirSync(full).sort()) visit(join(path, name));
  };
  visit('.');
  return all;
}

const rich = (root: string) => {
  const data = join(root, 'srv/data');
  fs.mkdirSync(join(data, 'sub/empty'), { recursive: true });
  fs.writeFileSync(join(data, 'a'), 'content of a', { mode: 0o640 });
  fs.chmodSync(join(data, 'a'), 0o4755);
  fs.linkSync(join(data, 'a'), join(data, 'sub/hard'));
  fs.symlinkSync('/etc/passwd', join(data, 'sub/link'));
  fs.writeFileSync(join(data, 'big'), Buffer.alloc(700_000, 'b'));
  execFileSync('mkfifo', [join(data, 'pipe')]);
  execFileSync('mknod', [join(data, 'null'), 'c', '1', '3']);
  fs.chownSync(join(data, 'sub'), 70, 71);
  fs.lchownSync(join(data, 'sub/link'), 5, 6);
  fs.chmodSync(data, 0o1770);
  fs.chownSync(data, 999, 998);
  fs.utimesSync(join(data, 'big'), 1000, 2000.5);
  fs.utimesSync(join(data, 'sub'), 1, 1_000_000_001);
  const setxattr = 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], b"v")';
  execFileSync('python3', ['-c', setxattr, join(data, 'big'), 'user.kept']);
};

test.skipIf(!isRoot)('an empty volume is filled from the image, like for like, once', async () => {
  const from = image([], rich, () => {});
  const config = { volumes: [{ type: 'volume', source: 'data', target: '/srv/data', volume: {} }] };
  await resolve(config, from);
  const path = join(host.layout.volumeDir('demo_data'), '_data');
  expect(describe(path)).toEqual(describe(join(dir, 'layer0/srv/data')));
  expect(kernel.filesystem.llistxattr(fs.openSync(path, 'r'), 'big')).toContain('user.kept');
  fs.rmSync(join(path, 'a'));
  await resolve(config, from);
  expect(fs.existsSync(join(path, 'a'))).toBe(false);
});

test.skipIf(!isRoot)('a copy that was cut short begins anew', async () => {
  const from = image([], rich, () => {});
  const config = { volumes: [{ type: 'volume', source: 'data', target: '/srv/data' }] };
  await createVolumes(host).create('demo', 'data', { name: 'demo_data' });
  const path = join(host.layout.volumeDir('demo_data'), '_data');
  fs.writeFileSync(join(path, 'half'), '');
  fs.writeFileSync(join(path, '../filling'), '');
  await resolve(config, from);
  expect(describe(path)).toEqual(describe(join(dir, 'layer0/srv/data')));
  expect(fs.existsSync(join(path, '../filling'))).toBe(false);
});

test.skipIf(!isRoot)('nocopy and what the image has not leave the volume as it is', async () => {
  const from = image([], rich, () => {});
  await resolve({ volumes: [{ type: 'volume', source: 'data', target: '/srv/data', volume: { nocopy: true } }] }, from);
  await resolve({ volumes: [{ type: 'volume', source: 'data', target: '/nothing/here' }] }, from);
  expect(fs.readdirSync(join(host.layout.volumeDir('demo_data'), '_data'))).toEqual([]);
});

test.skipIf(!isRoot)('a link of the image is followed inside it, never to the host', async () => {
  const from = image([], (root) => {
    fs.symlinkSync('/../../../../etc', join(root, 'out'));
    fs.mkdirSync(join(root, 'etc'));
    fs.writeFileSync(join(root, 'etc/inside'), '');
  });
  await resolve({ volumes: [{ type: 'volume', source: 'data', target: '/out' }] }, from);
  expect(fs.readdirSync(join(host.layout.volumeDir('demo_data'), '_data'))).toEqual(['inside']);
});

const defined = (driver_opts: Record<string, string>, labels = {}) => ({
  project: { name: 'demo', volumes: { data: { name: 'demo_data', driver_opts, labels } } },
  service: 'web',
  config: { volumes: [{ type: 'volume', source: 'data', target: '/srv/data' }] },
});
const content = () => join(host.layout.volumeDir('demo_data'), '_data');
const mounted = () => fs.readFileSync('/proc/self/mounts', 'utf8').includes(` ${content()} `);

test.skipIf(!isRoot)(
  'a file system of its own is mounted once, filled, and taken away with its last container',
  async () => {
    const volumes = createVolumes(host);
    const request = defined({ type: 'tmpfs', device: 'tmpfs', o: 'size=4m,mode=750,noexec' });
    const from = image([], rich);
    const mounts = await volumes.resolve({ ...request, image: from });
    try {
      expect(mounts).toMatchObject([{ type: 'volume', source: content(), target: '/srv/data' }]);
      expect(fs.statfsSync(content()).blocks * 4096).toBe(4 << 20);
      expect(describe(content())).toEqual(describe(join(dir, 'layer0/srv/data')));
      fs.writeFileSync(join(content(), 'mine'), '');
      await volumes.resolve({ ...request, image: from });
      expect(fs.existsSync(join(content(), 'mine'))).toBe(true);
      fs.mkdirSync(host.layout.containerDir('demo', 'a'), { recursive: true });
      fs.writeFileSync(
        join(host.layout.containerDir('demo', 'a'), 'container.json'),
        JSON.stringify({ name: 'a', mounts }),
      );
      await volumes.release(mounts);
      expect(mounted()).toBe(true);
      fs.rmSync(host.layout.containerDir('demo', 'a'), { recursive: true });
      await volumes.release(mounts);
      expect(mounted()).toBe(false);
      expect(fs.readdirSync(content())).toEqual([]);
    } finally {
      while (mounted()) kernel.filesystem.unmount(content());
    }
  },
);

test.skipIf(!isRoot)('removing a volume never deletes what is in its file system', async () => {
  const volumes = createVolumes(host);
  const disk = join(dir, 'disk');
  execFileSync('sh', ['-c', `truncate -s 8M ${disk} && mke2fs -q -t ext4 ${disk}`]);
  const device = execFileSync('losetup', ['--find', '--show', disk], { encoding: 'utf8' }).trim();
  try {
    const request = defined({ type: 'ext4', device });
    await volumes.resolve({ ...request, image: image([]) });
    fs.writeFileSync(join(content(), 'kept'), 'kept');
    await volumes.remove(volumes.get('demo_data')!);
    expect(fs.existsSync(content())).toBe(false);
    await volumes.resolve({ ...request, image: image([]) });
    expect(fs.readFileSync(join(content(), 'kept'), 'utf8')).toBe('kept');
    await volumes.remove(volumes.get('demo_data')!);
  } finally {
    execFileSync('losetup', ['--detach', device]);
  }
});

test.skipIf(!isRoot)('a file system too small for what the image has is taken away again', async () => {
  const request = defined({ type: 'tmpfs', device: 'tmpfs', o: 'size=64k' });
  await expect(createVolumes(host).resolve({ ...request, image: image([], rich) })).rejects.toMatchObject({
    code: 'host.disk-full',
    message: 'volume demo_data: tmpfs is full',
    hint: expect.stringContaining('size='),
  });
  expect(mounted()).toBe(false);
});

test.skipIf(!isRoot).each([
  [{ type: 'nosuchfs', device: 'x' }, 'host.kernel-feature', /this kernel has no file system nosuchfs/],
  [{ type: 'tmpfs', device: 'tmpfs', o: 'sice=4k' }, 'volume.mount', /EINVAL: tmpfs: Unknown parameter 'sice'/],
  [{ type: 'ext4', device: '/dev/null' }, 'volume.mount', /\/dev\/null cannot be mounted as ext4: ENOTBLK/],
  [{ type: 'none', o: 'bind', device: '/no/such' }, 'volume.bind-source', /the device \/no\/such does not exist/],
  [{ type: 'none', o: 'bind', device: '/dev/null' }, 'volume.bind-source', /\/dev\/null is no directory/],
  [{ what: 'ever' }, 'config.not-supported', /driver_opts.what: is no option/],
])('driver_opts %j: %s', async (options, code, message) => {
  const request = defined(options as Record<string, string>);
  await expect(createVolumes(host).resolve({ ...request, image: image([]) })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
  expect(mounted()).toBe(false);
});

test.skipIf(!isRoot)('a bind is filled while it is empty, and nothing in it is ever deleted', async () => {
  const device = join(dir, 'device');
  fs.mkdirSync(device);
  const volumes = createVolumes(host);
  const request = defined({ type: 'none', o: 'bind,ro,nosuid', device });
  const from = image([], rich);
  const [mount] = await volumes.resolve({ ...request, image: from });
  expect(mount).toMatchObject({ source: device, options: ['bind', 'ro', 'nosuid'] });
  expect(describe(device)).toEqual(describe(join(dir, 'layer0/srv/data')));
  fs.writeFileSync(join(content(), '../filling'), '');
  await volumes.resolve({ ...request, image: from });
  await volumes.remove(volumes.get('demo_data')!);
  expect(fs.existsSync(join(device, 'a'))).toBe(true);
});

test('a path below a volume is checked by descriptors: no link leads out of it', async () => {
  const volumes = createVolumes(host);
  await volumes.create('demo', 'data', { name: 'demo_data' });
  fs.mkdirSync(join(content(), 'sub/deep'), { recursive: true });
  fs.writeFileSync(join(content(), 'file'), '');
  fs.symlinkSync('../../../..', join(content(), 'out'));
  fs.symlinkSync('/etc', join(content(), 'absolute'));
  fs.symlinkSync('sub', join(content(), 'in'));
  fs.symlinkSync('self', join(content(), 'self'));
  const on = (subpath: string) =>
    resolve({ volumes: [{ type: 'volume', source: 'data', target: '/d', volume: { subpath } }] });
  expect(await on('in/deep')).toMatchObject([{ source: content(), subpath: 'in/deep', target: '/d' }]);
  await on('file');
  for (const [subpath, message] of [
    ['out', 'leads out of the volume demo_data'],
    ['out/etc', 'leads out of the volume demo_data'],
    ['absolute', 'leads out of the volume demo_data'],
    ['../demo_data/_data/sub', 'leads out of the volume demo_data'],
    ['/etc', 'leads out of the volume demo_data'],
    ['none', 'is not in the volume demo_data'],
    ['file/x', 'passes through a file of the volume demo_data'],
    ['self', 'goes through links of the volume demo_data without end'],
  ] as const) {
    await expect(on(subpath), subpath).rejects.toMatchObject({
      code: 'volume.subpath',
      message: `services.web.volumes: the subpath ${subpath} ${message}`,
    });
  }
});

test('the owner of a bind is its source’s, or who is named; in the container it is whom that runs as', async () => {
  const source = join(dir, 'host');
  fs.mkdirSync(source);
  const { uid, gid } = fs.statSync(source);
  const bind = { type: 'bind', source, target: '/d' };
  expect(await resolve({ volumes: [{ ...bind, 'x-idmap': true }] })).toMatchObject([
    { owner: { uid, gid, as: { uid: 0, gid: 0 } } },
  ]);
  expect(await resolve({ volumes: [{ ...bind, 'x-idmap': { uid: 7, gid: 8 } }] })).toMatchObject([
    { owner: { uid: 7, gid: 8, as: { uid: 0, gid: 0 } } },
  ]);
  expect((await resolve({ volumes: [{ ...bind, 'x-idmap': false }] }))[0]).not.toHaveProperty('owner');
});

test('a volume whose folder is gone gets an empty one, and keeps its record; labels are written down', async () => {
  const volumes = createVolumes(host);
  const made = await volumes.create('demo', 'data', { name: 'demo_data' });
  fs.writeFileSync(join(made.path, 'kept'), '');
  expect(await volumes.create('demo', 'data', { name: 'demo_data' })).toEqual(made);
  expect(fs.readdirSync(made.path)).toEqual(['kept']);
  fs.rmSync(made.path, { recursive: true });
  expect(await volumes.create('demo', 'data', { name: 'demo_data' })).toEqual(made);
  expect([fs.readdirSync(made.path), fs.statSync(made.path).mode & 0o777]).toEqual([[], 0o755]);
  const labelled = await volumes.update('demo', { name: 'demo_data', labels: { a: 'b' } });
  expect(labelled).toEqual({ ...made, labels: { a: 'b' }, config: { name: 'demo_data', labels: { a: 'b' } } });
  expect(volumes.get('demo_data')).toEqual(labelled);
  await expect(volumes.update('other', { name: 'demo_data' })).rejects.toMatchObject({ code: 'volume.not-found' });
});

test.skipIf(!isRoot)('an image is mounted whole or from a path that stays inside it', async () => {
  const mounted = image([], (root) => {
    fs.mkdirSync(join(root, 'usr/share/data'), { recursive: true });
    fs.writeFileSync(join(root, 'usr/file'), '');
    fs.symlinkSync('/usr/share', join(root, 'share'));
    fs.symlinkSync('../../../../usr', join(root, 'up'));
  });
  const on = async (subpath?: string) => {
    const mount = {
      type: 'image',
      source: 'data:1',
      target: '/d',
      ...(subpath === undefined ? {} : { image: { subpath } }),
    };
    const request = { ...defined({}), config: { volumes: [mount] }, mountedImages: new Map([['data:1', mounted]]) };
    const [made] = await createVolumes(host).resolve({ ...request, image: { ...mounted, layers: [] } });
    return made?.type === 'image' ? made.path : undefined;
  };
  expect([await on(), await on('share/data'), await on('up'), await on('usr/file')]).toEqual([
    '',
    'usr/share/data',
    'usr',
    'usr/file',
  ]);
  await expect(on('none')).rejects.toMatchObject({ code: 'volume.subpath' });
  const request = { ...defined({}), config: { volumes: [{ type: 'image', source: 'other', target: '/d' }] } };
  await expect(createVolumes(host).resolve({ ...request, image: mounted })).rejects.toMatchObject({
    code: 'image.not-found',
  });
});
