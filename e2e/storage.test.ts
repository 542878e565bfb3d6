/** Volumes with options, and the other forms of mounts, as processes in containers and the machine see them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { idle, scenario } from './harness/scenario.ts';

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
  expect((await stack.stack(['exec', '-T', 'one', 'dd', 'if=/dev/zero', 'of=/a/big', 'bs=1M', 'count=3'])).stderr).toMatch(
    /No space left/,
  );
  await stack.ok(['down', 'one']);
  expect(await stack.ok(['exec', '-T', 'two', 'cat', '/b/file'])).toBe('shared\n');
  await stack.ok(['down']);
  expect(await world.host.leaks({ volumes: false })).toEqual([]);
});

test('a volume that is a directory of the machine has its options in every container', async () => {
  const stack = world.project('bindvol', {
    services: { one: { ...idle, volumes: ['data:/a'] } },
    volumes: { data: { driver_opts: { type: 'none', o: 'bind,ro,noexec', device: './there' } } },
  });
  mkdirSync(join(stack.folder, 'there'));
  writeFileSync(join(stack.folder, 'there/file'), 'host\n');
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/a/file'])).toBe('host\n');
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/proc/mounts'])).toMatch(/ \/a \S+ ro,\S*noexec/);
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
