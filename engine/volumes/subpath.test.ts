import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ServiceVolume } from '../../schemas/project.ts';
import { makeDirectory } from './make-directory.ts';
import { isRoot, kernel, volumeWorld } from './volumes.fixture.ts';
import { createVolumes } from './volumes.ts';

if (!isRoot) console.log('skipped: mounting images needs root');
const world = volumeWorld();

const resolve = ({ volumes }: { volumes: ServiceVolume[] }, more: object = {}) =>
  createVolumes(world.host).resolve({
    project: { name: 'demo', volumes: { data: { name: 'demo_data' } } },
    service: 'web',
    config: { volumes },
    image: world.image([]),
    ...more,
  });
const content = () => join(world.host.layout.volumeDir('demo_data'), '_data');

test('a path below a volume is checked by descriptors: no link leads out of it', async () => {
  const volumes = createVolumes(world.host);
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
  const source = join(world.dir, 'host');
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

test.skipIf(!isRoot)('an image is mounted whole or from a path that stays inside it', async () => {
  const mounted = world.image([], (root) => {
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
    const [made] = await resolve({ volumes: [mount] }, { mountedImages: new Map([['data:1', mounted]]) });
    return made?.type === 'image' ? made.path : undefined;
  };
  expect([await on(), await on('share/data'), await on('up'), await on('usr/file')]).toEqual([
    '',
    'usr/share/data',
    'usr',
    'usr/file',
  ]);
  await expect(on('none')).rejects.toMatchObject({ code: 'volume.subpath' });
  await expect(resolve({ volumes: [{ type: 'image', source: 'other', target: '/d' }] })).rejects.toMatchObject({
    code: 'image.not-found',
  });
});

test.skipIf(!isRoot)(
  'a source that is made for x-idmap belongs to the owner of the folder it is made in, or to who is named',
  async () => {
    const home = join(world.dir, 'home');
    fs.mkdirSync(home);
    fs.chownSync(home, 1234, 1235);
    const made = (source: string, idmap: NonNullable<ServiceVolume['x-idmap']>) => ({
      ...{ type: 'bind', source: join(home, source), target: `/${source}`, 'x-idmap': idmap },
      bind: { create_host_path: true },
    });
    await resolve({ volumes: [made('a/b', true), made('c', { uid: 7, gid: 8 }), made('d', false)] });
    const owner = (path: string) => {
      const { uid, gid, mode } = fs.statSync(join(home, path));
      return [uid, gid, mode & 0o777];
    };
    expect(['a', 'a/b', 'c', 'd'].map(owner)).toEqual([
      [1234, 1235, 0o755],
      [1234, 1235, 0o755],
      [7, 8, 0o755],
      [0, 0, 0o755],
    ]);
  },
);

test('what is made never goes through a link that was put in its place', () => {
  fs.mkdirSync(join(world.dir, 'elsewhere'));
  const verbs: typeof kernel.filesystem = {
    ...kernel.filesystem,
    mkdirat(directory, name, mode) {
      kernel.filesystem.mkdirat(directory, name, mode);
      if (name !== 'swapped') return;
      fs.rmdirSync(join(world.dir, name));
      fs.symlinkSync('elsewhere', join(world.dir, name));
    },
  };
  expect(() => makeDirectory(verbs, join(world.dir, 'swapped/below'))).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/ELOOP|ENOTDIR/) }),
  );
  expect(fs.readdirSync(join(world.dir, 'elsewhere'))).toEqual([]);
});
