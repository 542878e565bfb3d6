/** Namespaces of config.json, what depends on them, and what they are given, seen from inside. Source: runtime-spec config-linux.md. */
import { spawn } from 'node:child_process';
import { chownSync, readlinkSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { NamespaceType } from '../../schemas/oci-runtime.ts';
import { type Bundle, inBundle, until } from './bundle.ts';
import type { Document } from './document.ts';

const files = {
  cgroup: 'cgroup',
  ipc: 'ipc',
  mount: 'mnt',
  network: 'net',
  pid: 'pid',
  time: 'time',
  user: 'user',
  uts: 'uts',
} satisfies Record<NamespaceType, string>;
const types = Object.keys(files) as NamespaceType[];
const namespace = (pid: number | 'self', type: NamespaceType) => readlinkSync(`/proc/${pid}/ns/${files[type]}`);

const hostId = 100_000;
const mappings = [{ containerID: 0, hostID: hostId, size: 65_536 }];
function inUserNamespace(bundle: Bundle, { linux }: Document): void {
  linux.namespaces.push({ type: 'user' });
  linux.uidMappings = mappings;
  linux.gidMappings = mappings;
  chownSync(bundle.rootfs, hostId, hostId);
  bundle.open();
}

test.each(types)('a new %s namespace, and the others as config.json says', (type) =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      delete spec.hostname;
      spec.linux.namespaces = [{ type: 'mount' }];
      // Without pid and network namespaces of its own a container shares those of the host.
      if (type === 'user') inUserNamespace(bundle, spec);
      else if (type !== 'mount') spec.linux.namespaces.push({ type });
      // A sysfs is of the network namespace, a proc of the pid namespace: not to be had without owning it.
      const foreign = type === 'user' ? ['/sys', '/proc'] : ['/sys'];
      spec.mounts = spec.mounts.filter(({ destination }) => !foreign.includes(destination));
    });
    await bundle.create();
    const { pid } = await bundle.state();
    const own = types.filter((one) => namespace(pid, one) !== namespace('self', one));
    expect(own).toEqual([...new Set<NamespaceType>(['mount', type])].sort());
    await bundle.start();
    expect(await bundle.must(['exec', bundle.id, 'echo', 'in'])).toBe('in\n');
    await bundle.destroy();
  }),
);

test('all of them by path: those of another container', () =>
  inBundle(async (bundle) => {
    const shared = types.filter((type) => type !== 'mount');
    bundle.write((spec) => {
      inUserNamespace(bundle, spec);
      spec.linux.namespaces = types.map((type) => ({ type }));
    });
    await bundle.must(['run', '-d', bundle.id]);
    const { pid } = await bundle.state();
    bundle.write((spec) => {
      delete spec.hostname;
      spec.linux.namespaces = [
        { type: 'mount' },
        ...shared.map((type) => ({ type, path: `/proc/${pid}/ns/${files[type]}` })),
      ];
    });
    const other = `${bundle.id}-b`;
    await bundle.must(['run', '-d', other]);
    const second = (await bundle.state(other)).pid;
    for (const type of shared) expect([type, namespace(second, type)]).toEqual([type, namespace(pid, type)]);
    expect(namespace(second, 'mount')).not.toBe(namespace(pid, 'mount'));
    expect(await bundle.must(['exec', other, 'hostname'])).toBe('box\n');
    expect((await bundle.must(['exec', other, 'ps', '-o', 'args'])).match(/sleep 1000/g)).toHaveLength(2);
    await bundle.must(['delete', '-f', other]);
    await bundle.destroy();
  }));

test('a mount namespace by path', () =>
  inBundle(async (bundle) => {
    const holder = spawn('unshare', ['-m', 'sleep', '1000'], { stdio: 'ignore' });
    try {
      await until('it has its own', () => namespace(holder.pid!, 'mount') !== namespace('self', 'mount'));
      bundle.write((spec) => {
        const mount = spec.linux.namespaces.find(({ type }) => type === 'mount')!;
        mount.path = `/proc/${holder.pid}/ns/mnt`;
      });
      await bundle.must(['run', '-d', bundle.id]);
      expect(namespace((await bundle.state()).pid, 'mount')).toBe(namespace(holder.pid!, 'mount'));
      expect(await bundle.must(['exec', bundle.id, 'ls', '/bin/busybox'])).toBe('/bin/busybox\n');
      await bundle.destroy();
    } finally {
      holder.kill('SIGKILL');
    }
  }));

test('uidMappings and gidMappings: root inside is nobody outside, and owns what it makes', () =>
  inBundle(async (bundle) => {
    const seen = await bundle.sees(
      'cat /proc/self/uid_map /proc/self/gid_map; id -u; touch /made; mkdir /dir; stat -c %u:%g /made /dev/null; echo x > /dev/null && echo null',
      (spec) => inUserNamespace(bundle, spec),
    );
    const lines = seen.split('\n').map((line) => line.trim().replace(/\s+/g, ' '));
    expect(lines.slice(0, 4)).toEqual([`0 ${hostId} 65536`, `0 ${hostId} 65536`, '0', '0:0']);
    expect(lines.at(-1)).toBe('null');
    const { uid, gid } = statSync(join(bundle.rootfs, 'made'));
    expect([uid, gid]).toEqual([hostId, hostId]);
  }));

test('timeOffsets', () =>
  inBundle(async (bundle) => {
    const seen = await bundle.sees('cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets', (spec) => {
      spec.linux.namespaces.push({ type: 'time' });
      spec.linux.timeOffsets = { boottime: { secs: 1_000_000, nanosecs: 5 }, monotonic: { secs: 5000 } };
    });
    const [uptime, ...offsets] = seen.split('\n').map((line) => line.trim().replace(/\s+/g, ' '));
    expect(Number(uptime)).toBeGreaterThanOrEqual(1_000_000);
    expect(offsets).toEqual(['monotonic 5000 0', 'boottime 1000000 5']);
  }));

test('hostname and domainname, of the container alone', () =>
  inBundle(async (bundle) => {
    const before = hostname();
    const seen = await bundle.sees('hostname; cat /proc/sys/kernel/domainname', (spec) => {
      spec.hostname = 'ship';
      spec.domainname = 'sea';
    });
    expect([seen, hostname()]).toEqual(['ship\nsea', before]);
  }));

test('sysctl, of the namespaces of the container; one of the host is refused', () =>
  inBundle(async (bundle) => {
    const seen = await bundle.sees('cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax', (spec) => {
      spec.linux.sysctl = { 'net.core.somaxconn': '99', 'kernel/msgmax': '4321' };
    });
    expect(seen).toBe('99\n4321');
    bundle.write((spec) => {
      spec.linux.sysctl = { 'vm.swappiness': '1' };
    });
    expect(await bundle.refused(['create', bundle.id])).toContain('vm.swappiness');
  }));

test('a cgroup namespace begins at the container’s own cgroup', () =>
  inBundle(async (bundle) => {
    const without = await bundle.sees('cat /proc/self/cgroup');
    expect(without).toContain(`:/stack-runtime/${bundle.id}`);
    const within = await bundle.sees('cat /proc/self/cgroup', (spec) => {
      spec.linux.namespaces.push({ type: 'cgroup' });
    });
    expect(
      within
        .split('\n')
        .map((line) => line.split(':')[2])
        .filter((path) => path !== '/'),
    ).toEqual([]);
  }));

test('loopback is up in a new network namespace, and nothing else is there', () =>
  inBundle(async (bundle) => {
    const seen = await bundle.sees('cat /sys/class/net/lo/operstate /sys/class/net/lo/flags; grep -c : /proc/net/dev');
    // IFF_UP | IFF_LOOPBACK.
    expect(seen).toMatch(/^unknown\n0x9\n/);
  }));

const links =
  'ip link add outside type veth peer name peer && ip address add 10.9.8.7/24 dev outside && ip link set outside up';

test('netDevices: a link of the host moves in, with its address, up and renamed', () =>
  inBundle(async (bundle) => {
    const entry = ['unshare', '-n', 'sh', '-c', `${links} && exec "$@"`, 'sh'];
    const seen = await bundle.sees(
      'ip -o address show eth9; ip -o link show eth9',
      (spec) => {
        spec.linux.netDevices = { outside: { name: 'eth9' } };
      },
      { entry },
    );
    expect(seen).toMatch(/eth9\s+inet 10\.9\.8\.7\/24/);
    expect(seen).toMatch(/eth9@\S+: <.*\bUP\b/);
  }));

test('netDevices: a link that is not there, or a name that is taken, is told; nothing is left', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.linux.netDevices = { nothere: {} };
    });
    expect(await bundle.refused(['create', bundle.id], { entry: ['unshare', '-n'] })).toContain('nothere');
    expect(await bundle.remains()).toEqual([]);
    bundle.write((spec) => {
      spec.linux.netDevices = { outside: { name: 'lo' } };
    });
    const entry = [
      'unshare',
      '-n',
      'sh',
      '-c',
      `${links} && "$@"; code=$?; ip link show outside >&2 && exit $code`,
      'sh',
    ];
    expect(await bundle.refused(['create', bundle.id], { entry })).toMatch(/outside|lo\b/);
  }));
