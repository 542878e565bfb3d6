import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describe, isRoot, kernel, rich, volumeWorld } from './volumes.fixture.ts';
import { createVolumes } from './volumes.ts';

if (!isRoot) console.log('skipped: mounting file systems needs root');
const world = volumeWorld();

const defined = (driver_opts: Record<string, string>, labels = {}) => ({
  project: { name: 'demo', volumes: { data: { name: 'demo_data', driver_opts, labels } } },
  service: 'web',
  config: { volumes: [{ type: 'volume', source: 'data', target: '/srv/data' }] },
});
const content = () => join(world.host.layout.volumeDir('demo_data'), '_data');
const mounted = () => fs.readFileSync('/proc/self/mounts', 'utf8').includes(` ${content()} `);

test.skipIf(!isRoot)(
  'a file system of its own is mounted once, filled, and taken away with its last container',
  async () => {
    const volumes = createVolumes(world.host);
    const request = defined({ type: 'tmpfs', device: 'tmpfs', o: 'size=4m,mode=750,noexec' });
    const from = world.image([], rich);
    const mounts = await volumes.resolve({ ...request, image: from });
    try {
      expect(mounts).toMatchObject([{ type: 'volume', source: content(), target: '/srv/data' }]);
      expect(fs.statfsSync(content()).blocks * 4096).toBe(4 << 20);
      expect(describe(content())).toEqual(describe(join(world.dir, 'layer0/srv/data')));
      fs.writeFileSync(join(content(), 'mine'), '');
      await volumes.resolve({ ...request, image: from });
      expect(fs.existsSync(join(content(), 'mine'))).toBe(true);
      fs.mkdirSync(world.host.layout.containerDir('demo', 'a'), { recursive: true });
      fs.writeFileSync(
        join(world.host.layout.containerDir('demo', 'a'), 'container.json'),
        JSON.stringify({ name: 'a', mounts }),
      );
      await volumes.release(mounts);
      expect(mounted()).toBe(true);
      fs.rmSync(world.host.layout.containerDir('demo', 'a'), { recursive: true });
      await volumes.release(mounts);
      expect(mounted()).toBe(false);
      expect(fs.readdirSync(content())).toEqual([]);
    } finally {
      while (mounted()) kernel.filesystem.unmount(content());
    }
  },
);

test.skipIf(!isRoot)('removing a volume never deletes what is in its file system', async () => {
  const volumes = createVolumes(world.host);
  const disk = join(world.dir, 'disk');
  execFileSync('sh', ['-c', `truncate -s 8M ${disk} && mke2fs -q -t ext4 ${disk}`]);
  const device = execFileSync('losetup', ['--find', '--show', disk], { encoding: 'utf8' }).trim();
  try {
    const request = defined({ type: 'ext4', device });
    await volumes.resolve({ ...request, image: world.image([]) });
    fs.writeFileSync(join(content(), 'kept'), 'kept');
    await volumes.remove(volumes.get('demo_data')!);
    expect(fs.existsSync(content())).toBe(false);
    await volumes.resolve({ ...request, image: world.image([]) });
    expect(fs.readFileSync(join(content(), 'kept'), 'utf8')).toBe('kept');
    await volumes.remove(volumes.get('demo_data')!);
  } finally {
    execFileSync('losetup', ['--detach', device]);
  }
});

test.skipIf(!isRoot)('a file system too small for what the image has is taken away again', async () => {
  const request = defined({ type: 'tmpfs', device: 'tmpfs', o: 'size=64k' });
  await expect(createVolumes(world.host).resolve({ ...request, image: world.image([], rich) })).rejects.toMatchObject({
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
  await expect(createVolumes(world.host).resolve({ ...request, image: world.image([]) })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
  expect(mounted()).toBe(false);
});

test.skipIf(!isRoot)('a bind is filled while it is empty, and nothing in it is ever deleted', async () => {
  const device = join(world.dir, 'device');
  fs.mkdirSync(device);
  const volumes = createVolumes(world.host);
  const request = defined({ type: 'none', o: 'bind,ro,nosuid', device });
  const from = world.image([], rich);
  const [mount] = await volumes.resolve({ ...request, image: from });
  expect(mount).toMatchObject({ source: device, options: ['bind', 'ro', 'nosuid'] });
  expect(describe(device)).toEqual(describe(join(world.dir, 'layer0/srv/data')));
  fs.writeFileSync(join(content(), '../filling'), '');
  await volumes.resolve({ ...request, image: from });
  await volumes.remove(volumes.get('demo_data')!);
  expect(fs.existsSync(join(device, 'a'))).toBe(true);
});

test.skipIf(!isRoot)(
  'what a killed command mounted for a container it never made is taken away with its stack',
  async () => {
    const volumes = createVolumes(world.host);
    await volumes.resolve({ ...defined({ type: 'tmpfs', device: 'tmpfs' }), image: world.image([]) });
    expect(mounted()).toBe(true);
    await volumes.releaseStack('other');
    expect(mounted()).toBe(true);
    await volumes.releaseStack('demo');
    expect(mounted()).toBe(false);
  },
);
