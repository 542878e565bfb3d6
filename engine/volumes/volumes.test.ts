import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ContainerRecord, ResolvedMount } from '../../schemas/container.ts';
import type { Service } from '../../schemas/project.ts';
import { volumeUsage } from '../disk-usage.ts';
import { parseTmpfs } from './tmpfs.ts';
import { describe, isRoot, kernel, rich, volumeWorld } from './volumes.fixture.ts';
import { createVolumes } from './volumes.ts';

if (!isRoot) console.log('skipped: filling volumes from images needs root');
const world = volumeWorld();

const resolve = (
  config: Pick<Service, 'volumes' | 'tmpfs'>,
  from = world.image([]),
  replaces?: { mounts: ResolvedMount[] },
) =>
  createVolumes(world.host).resolve({
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
  const volumes = createVolumes(world.host);
  const record = await volumes.create('demo', 'data', { name: 'demo_data', labels: { a: 'b' } });
  fs.writeFileSync(join(record.path, 'kept'), 'x');
  expect(await volumes.create('demo', 'data', { name: 'demo_data' })).toEqual(record);
  await volumes.create('another', 'x', { name: 'another_x' });
  expect(volumes.list().map((one) => one.name)).toEqual(['another_x', 'demo_data']);
  expect(volumes.list('demo')).toEqual([record]);
  expect(record).toMatchObject({ stack: 'demo', key: 'data', labels: { a: 'b' }, isAnonymous: false });
  await volumes.remove(record);
  expect(volumes.get('demo_data')).toBeNull();
  expect(fs.readdirSync(world.host.layout.volumes)).toEqual(['another_x']);
});

test('a volume in use is not removed', async () => {
  const volumes = createVolumes(world.host);
  const record = await volumes.create('demo', 'data', { name: 'demo_data' });
  const mount = { type: 'volume', name: 'demo_data', source: record.path, target: '/d', readOnly: false };
  const container = { name: 'demo-web-1', mounts: [mount] } as unknown as ContainerRecord;
  fs.mkdirSync(world.host.layout.containerDir('demo', '1f'), { recursive: true });
  fs.writeFileSync(join(world.host.layout.containerDir('demo', '1f'), 'container.json'), JSON.stringify(container));
  await expect(volumes.remove(record)).rejects.toThrow(/in use by demo-web-1/);
  expect(volumes.get('demo_data')).not.toBeNull();
});

test('names that are no names make nothing', async () => {
  const volumes = createVolumes(world.host);
  for (const name of ['../x', '', '.hidden', 'a/b']) {
    await expect(volumes.create('demo', 'data', { name })).rejects.toThrow(/cannot be the name of a volume/);
    expect(volumes.get(name)).toBeNull();
  }
  expect(fs.existsSync(world.host.layout.volumes)).toBe(false);
});

test('a damaged record says so and names the content', async () => {
  const volumes = createVolumes(world.host);
  const record = await volumes.create('demo', 'data', { name: 'demo_data' });
  fs.writeFileSync(join(record.path, '../volume.json'), '{"name":');
  expect(() => volumes.get('demo_data')).toThrow(expect.objectContaining({ code: 'state.damaged' }));
});

test('mounts come parents first, of every kind', async () => {
  fs.mkdirSync(join(world.dir, 'host'));
  fs.writeFileSync(join(world.dir, 'file'), '');
  const mounts = await resolve({
    volumes: [
      { type: 'volume', source: 'data', target: '/data/deep/er/' },
      {
        type: 'bind',
        source: join(world.dir, 'host'),
        target: '/data',
        read_only: true,
        bind: { propagation: 'rslave' },
      },
      { type: 'bind', source: join(world.dir, 'file'), target: '/etc/app.conf' },
      { type: 'tmpfs', target: '/scratch', tmpfs: { size: '1048576', mode: 0o700 } },
    ],
    tmpfs: ['/run:size=64m,mode=755,exec', '/tmp'],
  });
  expect(mounts).toEqual([
    { type: 'bind', source: join(world.dir, 'host'), target: '/data', readOnly: true, propagation: 'rslave' },
    { type: 'tmpfs', target: '/scratch', readOnly: false, size: 1048576, mode: 0o700 },
    { type: 'tmpfs', target: '/run', readOnly: false, options: ['size=64m', 'mode=755', 'exec'] },
    { type: 'tmpfs', target: '/tmp', readOnly: false },
    { type: 'bind', source: join(world.dir, 'file'), target: '/etc/app.conf', readOnly: false },
    {
      type: 'volume',
      name: 'demo_data',
      source: join(world.host.layout.volumeDir('demo_data'), '_data'),
      target: '/data/deep/er',
      readOnly: false,
      isAnonymous: false,
    },
  ]);
});

test('a missing bind source is made where it is asked for, and is an error where not', async () => {
  const source = join(world.dir, 'not/there');
  const bind = { type: 'bind', source, target: '/data' };
  await expect(resolve({ volumes: [{ ...bind, bind: {} }] })).rejects.toThrow(
    expect.objectContaining({ code: 'volume.bind-source' }),
  );
  expect(fs.existsSync(source)).toBe(false);
  await resolve({ volumes: [{ ...bind, bind: { create_host_path: true } }] });
  expect(fs.statSync(source).isDirectory()).toBe(true);
  fs.writeFileSync(join(world.dir, 'plain'), '');
  await expect(
    resolve({ volumes: [{ ...bind, source: join(world.dir, 'plain/below'), bind: { create_host_path: true } }] }),
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
  expect(fs.readdirSync(world.host.layout.volumes)).toEqual([]);
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
  const volumes = createVolumes(world.host);
  const from = world.image(['/data', '/covered/'], () => {});
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
  fs.mkdirSync(join(world.dir, 'host'));
  fs.writeFileSync(join(world.dir, 'file'), '');
  const from = world.image([], (root) => {
    fs.mkdirSync(join(root, 'etc/conf'), { recursive: true });
    fs.writeFileSync(join(root, 'etc/app.conf'), '');
    fs.symlinkSync('/etc/conf', join(root, 'conf'));
  });
  const on = (source: string, target: string) => resolve({ volumes: [{ type: 'bind', source, target }] }, from);
  await expect(on(join(world.dir, 'host'), '/etc/app.conf')).rejects.toThrow(
    /host is a directory, \/etc\/app\.conf in the image is a file/,
  );
  await expect(on(join(world.dir, 'file'), '/etc/conf')).rejects.toThrow(
    expect.objectContaining({ code: 'volume.bind-kind' }),
  );
  await expect(on(join(world.dir, 'file'), '/conf')).rejects.toThrow(
    expect.objectContaining({ code: 'volume.bind-kind' }),
  );
  await on(join(world.dir, 'host'), '/etc/conf');
  await on(join(world.dir, 'file'), '/etc/new.conf');
});

test.skipIf(!isRoot)('memory in place of a directory keeps its mode, unless one is asked for', async () => {
  const from = world.image([], (root) => {
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

test.skipIf(!isRoot)('an empty volume is filled from the image, like for like, once', async () => {
  const from = world.image([], rich, () => {});
  const config = { volumes: [{ type: 'volume', source: 'data', target: '/srv/data', volume: {} }] };
  await resolve(config, from);
  const path = join(world.host.layout.volumeDir('demo_data'), '_data');
  expect(describe(path)).toEqual(describe(join(world.dir, 'layer0/srv/data')));
  expect(kernel.filesystem.llistxattr(fs.openSync(path, 'r'), 'big')).toContain('user.kept');
  fs.rmSync(join(path, 'a'));
  await resolve(config, from);
  expect(fs.existsSync(join(path, 'a'))).toBe(false);
});

test.skipIf(!isRoot)('a copy that was cut short begins anew', async () => {
  const from = world.image([], rich, () => {});
  const config = { volumes: [{ type: 'volume', source: 'data', target: '/srv/data' }] };
  await createVolumes(world.host).create('demo', 'data', { name: 'demo_data' });
  const path = join(world.host.layout.volumeDir('demo_data'), '_data');
  fs.writeFileSync(join(path, 'half'), '');
  fs.writeFileSync(join(path, '../filling'), '');
  await resolve(config, from);
  expect(describe(path)).toEqual(describe(join(world.dir, 'layer0/srv/data')));
  expect(fs.existsSync(join(path, '../filling'))).toBe(false);
});

test.skipIf(!isRoot)('nocopy and what the image has not leave the volume as it is', async () => {
  const from = world.image([], rich, () => {});
  await resolve({ volumes: [{ type: 'volume', source: 'data', target: '/srv/data', volume: { nocopy: true } }] }, from);
  await resolve({ volumes: [{ type: 'volume', source: 'data', target: '/nothing/here' }] }, from);
  expect(fs.readdirSync(join(world.host.layout.volumeDir('demo_data'), '_data'))).toEqual([]);
});

test.skipIf(!isRoot)('a link of the image is followed inside it, never to the host', async () => {
  const from = world.image([], (root) => {
    fs.symlinkSync('/../../../../etc', join(root, 'out'));
    fs.mkdirSync(join(root, 'etc'));
    fs.writeFileSync(join(root, 'etc/inside'), '');
  });
  await resolve({ volumes: [{ type: 'volume', source: 'data', target: '/out' }] }, from);
  expect(fs.readdirSync(join(world.host.layout.volumeDir('demo_data'), '_data'))).toEqual(['inside']);
});

test('a volume whose folder is gone gets an empty one, and keeps its record; labels are written down', async () => {
  const volumes = createVolumes(world.host);
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

test('a volume without a name has the labels of its mount, and one that is elsewhere takes nothing of this disk', async () => {
  const [mount] = await resolve({ volumes: [{ type: 'volume', target: '/d', volume: { labels: { a: 'b' } } }] });
  const volumes = createVolumes(world.host);
  const name = mount?.type === 'volume' ? mount.name : '';
  expect(volumes.get(name)).toMatchObject({ isAnonymous: true, labels: { a: 'b' } });
  const elsewhere = { name: 'elsewhere', driver_opts: { type: 'tmpfs', device: 'tmpfs' } };
  fs.writeFileSync(join((await volumes.create('demo', 'e', elsewhere)).path, 'file'), 'content');
  fs.writeFileSync(join((await volumes.create('demo', 'h', { name: 'here' })).path, 'file'), 'content');
  const sizes = Object.fromEntries(volumeUsage(world.host.layout, []).map((one) => [one.name, one.size]));
  expect(sizes).toMatchObject({ elsewhere: 0, here: expect.toSatisfy((size: number) => size > 0) });
});
