/** Mounts, devices and covered paths of config.json, seen from inside. Source: runtime-spec config.md "Mounts", config-linux.md. */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Mount } from '../../schemas/oci-runtime.ts';
import { type Bundle, inBundle } from './bundle.ts';

function folder(bundle: Bundle, name: string, uid = 0, gid = 0): string {
  const path = bundle.file(name);
  mkdirSync(path);
  bundle.file(`${name}/file`, 'text');
  chownSync(join(path, 'file'), uid, gid);
  return path;
}

/** Fields 5 to 7 of mountinfo and what follows, by mount point. */
const point = (text: string, at: string) => text.split('\n').find((line) => line.split(' ')[4] === at)!;
const options = (text: string, at: string) => point(text, at).split(' ')[5]!.split(',');
const mountinfo = (bundle: Bundle, mounts: Mount[]) =>
  bundle.sees('cat /proc/self/mountinfo', (spec) => void spec.mounts.push(...mounts));

test('binds: a directory, a file, and a target that is made', () =>
  inBundle(async (bundle) => {
    const source = folder(bundle, 'source');
    const seen = await bundle.sees('cat /a/file /deep/down/file; echo more >> /a/file; cat /a/file', (spec) => {
      spec.mounts.push(
        { destination: '/a', source, options: ['bind'] },
        { destination: '/deep/down/file', type: 'bind', source: join(source, 'file'), options: ['ro'] },
      );
    });
    expect(seen).toBe('texttexttextmore');
  }));

test('ro of a bind is its own mount’s, rro reaches those below; both hold', () =>
  inBundle(async (bundle) => {
    const top = folder(bundle, 'top');
    mkdirSync(join(top, 'below'));
    const entry = ['unshare', '-m', 'sh', '-c', `mount -t tmpfs below ${top}/below && "$@"`, 'sh'];
    const write = 'for at in /x /x/below; do touch $at/new 2> /dev/null && echo yes || echo no; done';
    const tried = async (...words: string[]) =>
      (
        await bundle.sees(write, (spec) => void spec.mounts.push({ destination: '/x', source: top, options: words }), {
          entry,
        })
      ).split('\n');
    expect(await tried('rbind', 'ro')).toEqual(['no', 'yes']);
    expect(await tried('rbind', 'rro')).toEqual(['no', 'no']);
    expect(await tried('rbind')).toEqual(['yes', 'yes']);
    expect(await tried('bind', 'ro')).toEqual(['no', 'no']); // below is the read-only directory itself
  }));

test('attributes and access times', () =>
  inBundle(async (bundle) => {
    const words = [
      'noatime',
      'relatime',
      'strictatime',
      'nodiratime',
      'nosuid',
      'nodev',
      'noexec',
      'nosymfollow',
      'ro',
    ];
    const info = await mountinfo(
      bundle,
      words.map((word) => ({ destination: `/${word}`, type: 'tmpfs', source: 't', options: [word] })),
    );
    for (const word of words) {
      const own = options(info, `/${word}`);
      if (word === 'strictatime') expect(own).toEqual(['rw']);
      else expect([word, own]).toEqual([word, expect.arrayContaining([word])]);
      expect([word, own.includes('relatime')]).toEqual([word, !['noatime', 'strictatime'].includes(word)]);
    }
    const twice = [
      { destination: '/bound', source: folder(bundle, 'b'), options: ['bind', 'noatime', 'nosuid'] },
      { destination: '/again', type: 'tmpfs', source: 't', options: ['size=64k'] },
      { destination: '/again', type: 'tmpfs', source: 't', options: ['remount', 'size=128k', 'ro', 'noexec'] },
      { destination: '/bound', source: bundle.rootfs, options: ['remount', 'bind', 'ro'] },
    ];
    const more = await mountinfo(bundle, twice);
    expect(options(more, '/bound').sort()).toEqual(['noatime', 'nosuid', 'ro']);
    expect(options(more, '/again')).toEqual(expect.arrayContaining(['ro', 'noexec']));
    expect(point(more, '/again')).toContain('size=128k');
  }));

test('propagation of a mount', () =>
  inBundle(async (bundle) => {
    const info = await mountinfo(
      bundle,
      ['shared', 'private', 'unbindable'].map((word) => ({
        destination: `/${word}`,
        source: bundle.rootfs,
        options: ['bind', word],
      })),
    );
    const tags = (at: string) => point(info, at).split(' - ')[0]!.split(' ').slice(6);
    expect(tags('/shared')).toEqual([expect.stringMatching(/^shared:\d+$/)]);
    expect([tags('/private'), tags('/unbindable')]).toEqual([[], ['unbindable']]);
  }));

test.each(['shared', 'slave', 'private', 'unbindable'] as const)('rootfsPropagation %s', (rootfsPropagation) =>
  inBundle(async (bundle) => {
    // The host's mounts are shared, as on a machine with systemd.
    const entry = ['unshare', '-m', '--propagation', 'shared'];
    const info = await bundle.sees(
      'cat /proc/self/mountinfo',
      (spec) => {
        spec.linux.rootfsPropagation = rootfsPropagation;
      },
      { entry },
    );
    const tags = point(info, '/').split(' - ')[0]!.split(' ').slice(6).join(' ');
    const expected = { shared: /^shared:\d+/, slave: /^(master:\d+)?$/, private: /^$/, unbindable: /^unbindable$/ };
    expect(tags).toMatch(expected[rootfsPropagation]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(bundle.directory);
  }),
);

test('owners of a bind are mapped by uidMappings, and by the user namespace with idmap', () =>
  inBundle(async (bundle) => {
    const source = folder(bundle, 'owned', 5, 6);
    const mount = { destination: '/m', type: 'bind', source, options: ['bind'] };
    const map = (hostID: number) => [{ containerID: 0, hostID, size: 100 }];
    const seen = await bundle.sees('stat -c %u:%g /m/file; touch /m/new', (spec) => {
      spec.mounts.push({ ...mount, uidMappings: map(1000), gidMappings: map(2000) });
      spec.process.user = { uid: 1000, gid: 2000 };
      spec.process.capabilities = { bounding: [], effective: ['CAP_DAC_OVERRIDE'], permitted: ['CAP_DAC_OVERRIDE'] };
    });
    expect(seen).toBe('1005:2006');
    const { uid, gid } = statSync(join(source, 'new'));
    expect([uid, gid]).toEqual([0, 0]);
    const users = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    bundle.open();
    const mapped = async (...words: string[]) =>
      bundle.sees('stat -c %u:%g /m/file', (spec) => {
        spec.linux.namespaces.push({ type: 'user' });
        spec.linux.uidMappings = users;
        spec.linux.gidMappings = users;
        spec.mounts.push({ ...mount, options: words });
      });
    expect(await mapped('rbind', 'idmap')).toBe('5:6');
    expect(await mapped('rbind')).toBe('65534:65534');
  }));

test('tmpcopyup: what the image has below is in the tmpfs, and the image stays as it is', () =>
  inBundle(async (bundle) => {
    const etc = join(bundle.rootfs, 'etc');
    bundle.file('bundle/rootfs/etc/name', 'value\n');
    mkdirSync(join(etc, 'sub'));
    chownSync(join(etc, 'sub'), 3, 4);
    execFileSync('ln', ['-s', 'name', join(etc, 'link')]);
    const seen = await bundle.sees(
      'cat /etc/link; stat -c "%u:%g %a" /etc/sub /etc; readlink /etc/link; echo new > /etc/name',
      (spec) => {
        spec.mounts.push({ destination: '/etc', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'mode=750'] });
      },
    );
    expect(seen.split('\n').slice(0, 2)).toEqual(['value', '3:4 755']);
    expect(seen).toContain('name');
    expect(bundle.read('bundle/rootfs/etc/name')).toBe('value\n');
  }));

test('tmpcopyup with an option too long for fsconfig(2), and no way through a link for proc', () =>
  inBundle(async (bundle) => {
    bundle.file('bundle/rootfs/etc/name', 'value\n');
    const long = `mode=750,${'size=1m,'.repeat(40)}size=2m`;
    const mount = { destination: '/etc', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'ro', long] };
    const seen = await bundle.sees('cat /etc/name; touch /etc/x 2> /dev/null || echo ro', ({ mounts }) => {
      mounts.push(mount);
    });
    expect(seen).toBe('value\nro');
    symlinkSync('tmp', join(bundle.rootfs, 'elsewhere'));
    bundle.write(({ mounts }) => {
      const options = [`hidepid=0,${'hidepid=0,'.repeat(40)}hidepid=0`];
      mounts.push({ destination: '/elsewhere', type: 'proc', source: 'proc', options });
    });
    expect(await bundle.refused(['create', bundle.id])).toMatch(/symbolic link/);
  }));

test('devices of every type, default devices and links; a default of another kind', () =>
  inBundle(async (bundle) => {
    const seen = await bundle.sees(
      'cd /dev; stat -c "%n %F %t:%T %a %u:%g" x/* null full; for at in fd stdin stdout stderr ptmx; do readlink $at; done; head -c 2 x/u | wc -c; [ -p x/p ] && echo fifo',
      ({ linux }) => {
        linux.devices = [
          { type: 'c', path: '/dev/x/c/', major: 1, minor: 3, fileMode: 0o600, uid: 3, gid: 4 },
          { type: 'b', path: '/dev/x/b', major: 7, minor: 0, fileMode: 0o640 },
          { type: 'u', path: '/dev/x/u', major: 1, minor: 5 },
          { type: 'p', path: '/dev/x/p', fileMode: 0o622 },
          { type: 'c', path: '/dev/full//', major: 1, minor: 7, fileMode: 0o444 },
        ];
      },
    );
    expect(seen.split('\n')).toEqual([
      ...['x/b block special file 7:0 640 0:0', 'x/c character special file 1:3 600 3:4'],
      ...['x/p fifo 0:0 622 0:0', 'x/u character special file 1:5 666 0:0'],
      ...['null character special file 1:3 666 0:0', 'full character special file 1:7 444 0:0'],
      ...['/proc/self/fd', '/proc/self/fd/0', '/proc/self/fd/1', '/proc/self/fd/2', 'pts/ptmx', '2', 'fifo'],
    ]);
  }));

test('masked and read-only paths, and a read-only root', () =>
  inBundle(async (bundle) => {
    bundle.file('bundle/rootfs/etc/secret', 'text\n');
    mkdirSync(join(bundle.rootfs, 'hidden/below'), { recursive: true });
    const script =
      'wc -c < /etc/secret; ls /hidden | wc -l; for at in /etc/x /tmp/x /hidden/x /proc/sys/kernel/msgmax; do echo 1 2> /dev/null > $at && echo yes || echo no; done';
    const covered = (isReadonly: boolean) =>
      bundle.sees(`(${script}) 2> /dev/null`, (spec) => {
        spec.linux.maskedPaths = ['/etc/secret', '/hidden', '/none'];
        spec.linux.readonlyPaths = ['/etc', '/proc/sys', '/none'];
        spec.root.readonly = isReadonly;
      });
    expect((await covered(false)).split('\n')).toEqual(['0', '0', 'no', 'yes', 'no', 'no']);
    expect((await covered(true)).split('\n')).toEqual(['0', '0', 'no', 'no', 'no', 'no']);
  }));

test.each([true, false])('cgroup mounts, with a cgroup namespace: %s', (hasNamespace) =>
  inBundle(async (bundle) => {
    const script =
      'f=/sys/fs/cgroup/pids/pids.max; [ -e $f ] || f=/sys/fs/cgroup/pids.max; cat $f; echo 5 2> /dev/null > $f && echo yes || echo no';
    const seen = await bundle.sees(`(${script}) 2> /dev/null`, ({ linux, mounts }) => {
      mounts.push({
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: ['ro', 'nosuid', 'noexec', 'nodev'],
      });
      linux.resources = { pids: { limit: 33 } };
      if (hasNamespace) linux.namespaces.push({ type: 'cgroup' });
    });
    expect(seen).toBe('33\nno');
  }),
);
