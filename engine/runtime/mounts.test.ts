import { expect, test } from 'vitest';
import type { ResolvedMount } from '../../schemas/container.ts';
import { containerMounts, ownerMap } from './mounts.ts';

const files = { hosts: '/h', hostname: '/n', resolvConf: '/r' };
const toMount = (mount: ResolvedMount) =>
  containerMounts({ mounts: [mount], shmSize: 1, isReadOnlyRoot: false, isPrivileged: false, files }).find(
    ({ destination }) => destination === '/t',
  )!;
const bind = { type: 'bind', source: '/s', target: '/t', readOnly: false } as const;
const volume = { type: 'volume', name: 'v', source: '/s', target: '/t', readOnly: false, isAnonymous: false } as const;

test.each<[ResolvedMount, string[]]>([
  [bind, ['rbind', 'rprivate']],
  [{ ...bind, readOnly: true }, ['rbind', 'rro', 'rprivate']],
  [{ ...bind, readOnly: true, recursive: 'writable' }, ['rbind', 'ro', 'rprivate']],
  [{ ...bind, readOnly: true, recursive: 'readonly' }, ['rbind', 'rro', 'rprivate']],
  [{ ...bind, recursive: 'disabled', propagation: 'rslave' }, ['bind', 'rslave']],
  [{ ...volume, readOnly: true }, ['rbind', 'rro', 'rprivate']],
  [{ ...volume, options: ['bind', 'ro', 'noexec'] }, ['rprivate', 'bind', 'ro', 'noexec']],
])('%j', (mount, options) => {
  expect(toMount(mount)).toEqual({ destination: '/t', type: 'bind', source: '/s', options });
});

test('the source of a path below a volume is told by its whole path', () => {
  expect(toMount({ ...volume, subpath: 'a/b' }).source).toBe('/s/a/b');
});

/** What an id of the disk is in the container; undefined where it is none. */
const mapped = (map: ReturnType<typeof ownerMap>, id: number) => {
  const range = map.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return range && range.hostID + id - range.containerID;
};

test.each([
  [1000, 0],
  [0, 999],
  [7, 7],
  [7, 8],
])('with an owner %i who is %i in the container every other id stays what it is', (disk, inside) => {
  const map = ownerMap(disk, inside);
  expect(mapped(map, disk)).toBe(inside);
  if (disk !== inside) expect(mapped(map, inside)).toBeUndefined();
  for (const id of [0, 1, 6, 9, 998, 1001, 65_534, 4_294_967_294].filter((one) => one !== disk && one !== inside)) {
    expect(mapped(map, id)).toBe(id);
  }
  expect(toMount({ ...bind, owner: { uid: disk, gid: disk, as: { uid: inside, gid: inside } } })).toMatchObject({
    uidMappings: map,
    gidMappings: map,
  });
});
