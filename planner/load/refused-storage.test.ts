import { expect, test } from 'vitest';
import type { ServiceVolume } from '../../schemas/project.ts';
import { loadText } from './fixture.ts';
import { refusedMount, refusedVolume } from './refused-storage.ts';

const bind = { type: 'bind', source: '/s', target: '/t' };
const volume = { type: 'volume', source: 'v', target: '/t' };

test.each<ServiceVolume>([
  { ...bind, bind: { propagation: 'rslave', recursive: 'disabled', selinux: 'z' } },
  { ...bind, read_only: true, bind: { recursive: 'readonly', propagation: 'rprivate' } },
  { ...bind, read_only: true, bind: { recursive: 'writable' } },
  { ...bind, 'x-idmap': true },
  { ...bind, 'x-idmap': { uid: 0, gid: 4_294_967_294 } },
  { ...volume, volume: { nocopy: true, subpath: 'a/b' } },
  { type: 'image', source: 'busybox', target: '/t', image: { subpath: 'bin' } },
  { type: 'tmpfs', target: '/t', tmpfs: { size: '1', mode: 0o1777 } },
])('taken: %j', (mount) => {
  expect(refusedMount(mount)).toEqual([]);
});

test.each<[ServiceVolume, string, RegExp]>([
  [{ type: 'npipe', target: '/t' }, 'type', /Windows/],
  [{ type: 'cluster', target: '/t' }, 'type', /swarm/],
  [{ type: 'other', target: '/t' }, 'type', /"other" is no type/],
  [{ ...bind, bind: { propagation: 'all' } }, 'bind.propagation', /"all" is no propagation/],
  [{ ...bind, bind: { recursive: 'never' } }, 'bind.recursive', /"never" is none/],
  [{ ...bind, bind: { recursive: 'readonly' } }, 'bind.recursive', /read-only/],
  [{ ...bind, read_only: true, bind: { recursive: 'readonly', propagation: 'rslave' } }, 'bind.recursive', /rslave/],
  [{ type: 'volume', target: '/t', volume: { subpath: 'a' } }, 'volume.subpath', /without a name/],
  [{ type: 'image', target: '/t' }, '', /needs an image/],
  [{ ...volume, 'x-idmap': true }, 'x-idmap', /whose/],
  [{ ...bind, 'x-idmap': { uid: -1, gid: 0 } }, 'x-idmap', /whose/],
])('refused: %j', (mount, path, why) => {
  expect(refusedMount(mount)).toEqual([
    { path: path === '' ? [] : path.split('.'), why: expect.stringMatching(why), hint: expect.stringMatching(/\.$/) },
  ]);
});

test('a driver is local; its options are judged', () => {
  expect(refusedVolume({ driver: 'local', driver_opts: { type: 'tmpfs', device: 'tmpfs' } })).toEqual([]);
  expect(refusedVolume({ driver: 'rexray' })).toMatchObject([{ path: ['driver'] }]);
  expect(refusedVolume({ driver_opts: { a: 'b' } })).toMatchObject([{ path: ['driver_opts', 'a'] }]);
});

test('x-idmap from variables, which are text', () => {
  const on = (idmap: string) => {
    const text = `services: {a: {image: x, volumes: [{type: bind, source: /s, target: /t, x-idmap: ${idmap}}]}}\n`;
    return loadText(text).project.services.a!.volumes![0]!;
  };
  expect(on('{uid: "${STACK_NO_UID:-1000}", gid: "7"}')['x-idmap']).toEqual({ uid: 1000, gid: 7 });
  expect(on('"true"')['x-idmap']).toBe(true);
  expect(refusedMount(on('{uid: "me", gid: "7"}'))).toMatchObject([{ path: ['x-idmap'] }]);
});
