/** Ways out of a container through devices and cgroups, shut: nodes of the image, nodes made inside, release agents. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bundle, Probe, type Spec } from './escape-bundle.ts';

const probe = new Probe();
beforeAll(() => probe.build());
afterAll(() => probe[Symbol.dispose]());

const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers');
const grant = ({ process }: Spec, names: string[]) => {
  process.capabilities = { bounding: names, effective: names, permitted: names };
};
/** A loop device: on this machine there is one, and nothing is on it. */
const loop = { major: 7, minor: 0 };

describe('device nodes', () => {
  test('a node the image brings, and one that is made inside, cannot be opened', async () => {
    await using bundle = new Bundle(probe);
    execFileSync('mknod', ['-m', '666', bundle.inside('disk'), 'b', String(loop.major), String(loop.minor)]);
    const script = 'probe device /disk r; probe device /disk w; probe device /made m; probe device /dev/null w';
    const done = await bundle.ended(['sh', '-c', script], (spec) => grant(spec, ['CAP_MKNOD', 'CAP_SYS_ADMIN']));
    expect(done.stdout).toBe('EPERM\nEPERM\nEPERM\nopened\n');
  });

  test('what is asked for and allowed can be opened: the test above does not fail by itself', async () => {
    await using bundle = new Bundle(probe);
    const done = await bundle.ended(['probe', 'device', '/dev/given', 'r'], ({ linux }) => {
      linux.devices = [{ path: '/dev/given', type: 'b', ...loop, fileMode: 0o600 }];
      linux.resources = {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'b', ...loop, access: 'r' },
        ],
      };
    });
    expect(done.stdout).toBe('opened\n');
  });

  test('a node is made inside of the root, whatever its path goes through', async () => {
    await using bundle = new Bundle(probe);
    const { outside } = bundle;
    mkdirSync(bundle.inside(outside), { recursive: true });
    symlinkSync(outside, bundle.inside('absolute'));
    symlinkSync(`../../../../../../..${outside}`, bundle.inside('relative'));
    const paths = [
      '/absolute/one',
      '/relative/two',
      `/../../../../..${outside}/three`,
      `/tmp/../..${outside}/new/four`,
    ];
    const done = await bundle.ended(['true'], ({ linux }) => {
      linux.devices = paths.map((path) => ({ path, type: 'c', major: 1, minor: 3 }));
    });
    expect(done.code).toBe(0);
    expect(readdirSync(bundle.inside(outside)).sort()).toEqual(['new', 'one', 'three', 'two']);
    expect(lstatSync(join(bundle.inside(outside), 'new/four')).isCharacterDevice()).toBe(true);
  });

  test('a symlink where a node shall be is refused, and the file it leads to keeps its owner', async () => {
    await using bundle = new Bundle(probe);
    symlinkSync('/etc', bundle.inside('node'));
    const done = await bundle.ended(['true'], ({ linux }) => {
      linux.devices = [{ path: '/node', type: 'c', major: 1, minor: 3, uid: 1000, gid: 1000 }];
    });
    expect(done.code).not.toBe(0);
    expect(lstatSync(bundle.inside('etc')).uid).toBe(0);
  });
});

describe.skipIf(isUnified)('control groups of version 1', () => {
  const asked = (option: 'ro' | 'rw', isOwn: boolean) => (spec: Spec) => {
    grant(spec, ['CAP_DAC_OVERRIDE', 'CAP_CHOWN', 'CAP_FOWNER']);
    const mount = spec.mounts.find(({ destination }) => destination === '/sys/fs/cgroup')!;
    mount.options = ['nosuid', 'noexec', 'nodev', option];
    if (isOwn) spec.linux.namespaces!.push({ type: 'cgroup' });
  };
  const script = [
    'cat /proc/self/cgroup',
    'cd /sys/fs/cgroup/memory',
    'echo --',
    'ls -d release_agent 2>&1',
    '(echo /tmp/agent > release_agent) 2>&1',
    '(echo 1 > notify_on_release) 2>&1 && echo notified',
    '(mkdir below) 2>&1 && echo made && rmdir below',
  ].join('\n');

  test.each([
    ['read-only', 'ro', false],
    ['read-only, with a cgroup namespace', 'ro', true],
    ['to write to', 'rw', false],
    ['to write to, with a cgroup namespace', 'rw', true],
  ] as const)('no release agent is within reach: mounted %s', async (_, option, isOwn) => {
    await using bundle = new Bundle(probe);
    const done = await bundle.ended(['sh', '-c', script], asked(option, isOwn));
    const [groups = '', tried = ''] = done.stdout.split('--\n');
    expect(tried).toContain('ls: release_agent: No such file or directory');
    expect(tried).toMatch(
      /can't create release_agent: (Read-only file system|Permission denied|Operation not permitted)/,
    );
    if (option === 'ro') expect(tried).not.toMatch(/notified|made/);
    // Its own groups alone may be written to.
    else expect(tried).toMatch(/notified\nmade/);
    if (isOwn) expect(groups).not.toMatch(new RegExp(`${bundle.id}|\\.\\.`));
    else expect(groups).toContain(bundle.id);
  });

  test('with CAP_SYS_ADMIN and a cgroup namespace, a mount of a hierarchy begins at the container’s own group', async () => {
    await using bundle = new Bundle(probe);
    const mounting =
      'mkdir /tmp/c; mount -t cgroup -o memory none /tmp/c && ls /tmp/c | grep -c release_agent; cat /proc/self/cgroup';
    const done = await bundle.ended(['sh', '-c', mounting], (spec) => {
      asked('ro', true)(spec);
      grant(spec, ['CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE']);
    });
    expect(done.stdout).toMatch(/^0\n/);
    expect(done.stdout).not.toContain(bundle.id);
  });
});
