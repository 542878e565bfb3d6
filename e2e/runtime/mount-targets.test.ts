/** Where mounts land: links of the image as targets, a later remount, a root that is mounted already. Source: runtime-spec config.md "Mounts", path_resolution(7). */
import { mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inBundle } from './bundle.ts';

test('a target that is a link to nothing: what it leads to is made, inside of the root', () =>
  inBundle(async (bundle) => {
    const source = bundle.file('source');
    mkdirSync(source);
    bundle.file('source/file', 'text');
    const outside = bundle.file('outside');
    mkdirSync(outside);
    const links = {
      file: '/run/made/file',
      up: `../../../../../../../..${outside}/up`,
      one: 'two',
      two: 'run/three/',
      below: '/run/below',
      round: 'round',
    };
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(bundle.rootfs, name));
    const bind = (destination: string, from = source) => ({
      destination,
      type: 'bind',
      source: from,
      options: ['bind'],
    });
    const seen = await bundle.sees(
      `cat /run/made/file ${outside}/up /run/three/file /run/below/deep/file; ls -d /tmpfs/on`,
      ({ mounts }) => {
        mounts.push(bind('/file', join(source, 'file')), bind('/up', join(source, 'file')));
        mounts.push(bind('/one'), bind('/below/deep'), { destination: '/tmpfs/on', type: 'tmpfs', source: 'tmpfs' });
      },
    );
    expect(seen).toBe('texttexttexttext/tmpfs/on');
    expect(readdirSync(outside)).toEqual([]);
    expect(readlinkSync(join(bundle.rootfs, 'one'))).toBe('two');
    bundle.write(({ mounts }) => void mounts.push(bind('/round')));
    expect(await bundle.refused(['create', bundle.id])).toMatch(/round.*symbolic link|symbolic link.*round|ELOOP/s);
  }));

test('a remount is of what was mounted there, wherever a link of the image leads meanwhile', () =>
  inBundle(async (bundle) => {
    symlinkSync('proc', join(bundle.rootfs, 'data'));
    const remount = { destination: '/data', source: bundle.rootfs, options: ['remount', 'bind', 'noexec'] };
    bundle.write(({ mounts }) => void mounts.push(remount));
    expect(await bundle.refused(['create', bundle.id])).toMatch(/symbolic link/);
    symlinkSync('tmp', join(bundle.rootfs, 'through'));
    const at = { destination: '/through', type: 'tmpfs', source: 't' };
    const info = await bundle.sees('grep " /tmp " /proc/self/mountinfo', ({ mounts }) => {
      mounts.push({ ...at, options: ['size=64k'] }, { ...at, options: ['remount', 'size=128k', 'noexec'] });
    });
    expect(info).toMatch(/ rw,noexec,.*size=128k/);
  }));

test('without a mount namespace of its own, what the caller mounted at the root stays', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.linux.namespaces = [{ type: 'pid' }];
      spec.mounts = [];
      delete spec.hostname;
      spec.process.args = ['true'];
      spec.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: bundle.file('nobody') };
      spec.linux.seccomp.syscalls = [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }];
    });
    const count = `grep -c " ${bundle.rootfs} " /proc/self/mountinfo`;
    const script = `mount --bind ${bundle.rootfs} ${bundle.rootfs}; "$@"; ${count}`;
    const entry = ['unshare', '-m', 'sh', '-c', script, 'sh'];
    expect((await bundle.call(['run', bundle.id], { entry })).stdout).toBe('1\n');
    bundle.write((spec) => {
      spec.linux.namespaces = [{ type: 'pid' }];
      spec.mounts = [];
      delete spec.hostname;
      spec.process.args = ['true'];
    });
    expect((await bundle.call(['run', bundle.id], { entry })).stdout).toBe('1\n');
  }));
