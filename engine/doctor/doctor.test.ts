/** Checks on machines made up, and all of them on this one. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import type { KernelPort } from '../../schemas/kernel.ts';
import { layout } from '../state/layout.ts';
import { cgroupChecks } from './cgroups.ts';
import type { Check, Machine } from './check.ts';
import { examine, securityPlaces, thisMachine } from './doctor.ts';
import { kernelChecks } from './kernel.ts';
import { networkChecks } from './network.ts';
import { securityChecks } from './security.ts';
import { storageChecks } from './storage.ts';

const good: Record<string, string> = {
  ...Object.fromEntries(
    ['mnt', 'net', 'uts', 'pid', 'ipc', 'cgroup', 'user'].map((name) => [`/proc/self/ns/${name}`, '']),
  ),
  '/proc/sys/user/max_user_namespaces': '1000\n',
  '/proc/sys/kernel/seccomp/actions_avail': 'kill_process errno user_notif allow\n',
  '/proc/self/status': 'CapEff:\t000001ffffffffff\n',
  '/proc/self/limits': 'Max open files            1024                 524288               files\n',
  '/proc/sys/fs/inotify/max_user_watches': '524288\n',
  '/proc/sys/fs/inotify/max_user_instances': '512\n',
  '/proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
  '/sys/fs/cgroup/system.slice/memory.max': 'max\n',
  '/sys/fs/cgroup/system.slice/memory.swap.max': 'max\n',
  '/proc/net/if_inet6': '',
  '/proc/sys/net/ipv4/ip_forward': '1\n',
};

/** A good machine but for these files; undefined takes one away. */
function machine(changes: Record<string, string | undefined> = {}, rest: Partial<Machine> = {}): Machine {
  const files = { ...good, ...changes };
  return {
    release: '6.1.0-56-cloud-amd64',
    layout: layout({ STACK_ROOT: '/', STACK_RUN: '/run/stack' }),
    kernel: undefined,
    read: (path) => files[path],
    exists: (path) => files[path] !== undefined,
    list: (path) => (path === '/sys/fs/cgroup' ? ['system.slice'] : []),
    isWritable: () => true,
    space: () => ({ type: 0xef53, free: 2 ** 35, size: 2 ** 36, freeInodes: 1e6, inodes: 1e6 }),
    ...rest,
  };
}

const all = async (one: Machine): Promise<Check[]> => [
  ...kernelChecks(one),
  ...cgroupChecks(one),
  ...storageChecks(one),
  ...(await networkChecks(one)),
];
const worse = async (one: Machine) =>
  (await all(one)).filter(({ status }) => status !== 'ok').map(({ id, status }) => `${status} ${id}`);

test('a good machine passes', async () => {
  expect(await worse(machine())).toEqual([]);
});

const capabilities = (bits: string) => ({ '/proc/self/status': `CapEff:\t${bits}\n` });
const space = (changes: object): Partial<Machine> => ({ space: () => ({ ...machine().space('/'), ...changes }) });

test.each<[string, Record<string, string | undefined>, Partial<Machine>, string[]]>([
  ['an old kernel', {}, { release: '5.4.0' }, ['fail kernel.version', 'warn kernel.idmapped-mounts']],
  ['no cgroup namespaces', { '/proc/self/ns/cgroup': undefined }, {}, ['fail kernel.namespaces']],
  ['user namespaces off', { '/proc/sys/user/max_user_namespaces': '0\n' }, {}, ['warn kernel.user-namespaces']],
  ['no seccomp', { '/proc/sys/kernel/seccomp/actions_avail': undefined }, {}, ['fail kernel.seccomp']],
  ['no SYS_RESOURCE', capabilities('000001fffeffffff'), {}, ['warn host.capabilities']],
  ['no SYS_ADMIN', capabilities('000001ffffdfffff'), {}, ['fail host.capabilities']],
  ['few watches', { '/proc/sys/fs/inotify/max_user_watches': '8192' }, {}, ['warn host.inotify']],
  ['few files', { '/proc/self/limits': 'Max open files 1024 1024 files\n' }, {}, ['warn host.open-files']],
  ['no cgroups', { '/proc/self/mountinfo': '' }, {}, ['fail cgroup.mode']],
  ['cgroups read-only', {}, { isWritable: (path) => !path.startsWith('/sys/fs') }, ['fail cgroup.writable']],
  ['no pids', { '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu memory' }, {}, ['warn cgroup.pids']],
  ['no swap accounting', { '/sys/fs/cgroup/system.slice/memory.swap.max': undefined }, {}, ['warn cgroup.swap']],
  ['little space', {}, space({ free: 2 ** 29 }), ['warn storage.space']],
  ['no space', {}, space({ free: 2 ** 20 }), ['fail storage.space']],
  ['no inodes', {}, space({ freeInodes: 3 }), ['fail storage.space']],
  ['file systems that count no inodes', {}, space({ freeInodes: 0, inodes: 0 }), []],
  ['state on an overlay', {}, space({ type: 0x794c7630 }), ['fail storage.filesystem']],
  ['no IPv6', { '/proc/net/if_inet6': undefined }, {}, ['warn network.ipv6']],
  ['forwarding off', { '/proc/sys/net/ipv4/ip_forward': '0\n' }, {}, []],
  ['docker', { '/run/docker.sock': '' }, {}, ['warn host.docker']],
])('%s', async (_, changes, rest, expected) => {
  expect(await worse(machine(changes, rest))).toEqual(expected);
});

test('AppArmor: on, with what it lacks; SELinux: on, labelled or not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stack-doctor-'));
  const put = (path: string, text: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const look = (labels = false) =>
    securityChecks({ apparmor: { sys: folder, proc: folder, path: folder }, sys: folder, labels }).map(
      ({ id, status, found }) => `${status} ${id} ${found.split(':')[0]}`,
    );
  expect(look()).toEqual(['ok security.apparmor not in this kernel', 'ok security.selinux not in this kernel']);
  put('module/apparmor/parameters/enabled', 'Y\n');
  expect(look()[0]).toBe('warn security.apparmor enabled, its files cannot be read');
  put('kernel/security/apparmor/profiles', 'stack-default (enforce)\n');
  put('fs/selinux/policyvers', '33');
  put('fs/selinux/enforce', '1');
  expect(look()).toEqual([
    'ok security.apparmor enabled, stack-default is loaded',
    'warn security.apparmor-parser not installed',
    'warn security.selinux enforcing, containers are not labelled',
  ]);
  put('kernel/security/apparmor/profiles', 'stack-default (complain)\n');
  expect(look(true)).toContain('warn security.apparmor enabled, stack-default is in complain mode');
  expect(look(true)).toContain('ok security.selinux enforcing, containers are labelled');
  rmSync(folder, { recursive: true });
});

test('a kernel that refuses is quoted; a check that breaks is a failure, and the others are made', async () => {
  const kernel = loadKernel();
  const broken = {
    ...kernel,
    filesystem: {
      ...kernel.filesystem,
      overlayView() {
        throw Object.assign(new Error('x'), { step: 'fsopen', code: 'ENODEV' });
      },
    },
    network: { ...kernel.network, createNamespace: () => Promise.reject(new Error('unshare: EPERM')) },
  } as KernelPort;
  const found = await examine(
    machine(
      {},
      {
        kernel: broken,
        isWritable: () => {
          throw new Error('surprise');
        },
      },
    ),
    securityPlaces(false),
  );
  const fails = found.filter(({ status }) => status === 'fail').map(({ id, found: words }) => `${id}: ${words}`);
  expect(fails).toEqual([
    'cgroup.unknown: surprise',
    'kernel.overlay: fsopen: ENODEV, on /',
    'network.namespace: unshare: EPERM',
  ]);
});

test.runIf(process.getuid?.() === 0)('on this machine: every id once, everything taken back, quick', async () => {
  const root = mkdtempSync(join(tmpdir(), 'stack-doctor-'));
  const started = performance.now();
  const found = await examine(thisMachine(loadKernel(), { STACK_ROOT: join(root, 'state') }), securityPlaces(false));
  const took = performance.now() - started;
  const ids = found.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(
    expect.arrayContaining([
      'kernel.overlay',
      'network.nftables',
      'network.bridge',
      'network.shaping',
      'network.firewall',
    ]),
  );
  for (const { status, advice, title } of found) if (status !== 'ok') expect(advice, title).toMatch(/\.$/);
  expect(readdirSync(root)).toEqual([]);
  expect(took).toBeLessThan(2_000);
  rmSync(root, { recursive: true });
});
