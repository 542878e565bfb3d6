/** exec: what a further process is counted as and kept from: limits of its user, the host's root, rights until its filter. */
import { closeSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inBundle } from './bundle.ts';

test('RLIMIT_NPROC: the process alone counts, and no other on its way', () =>
  inBundle(async (bundle) => {
    bundle.write(({ process }) => {
      process.user = { uid: 54321, gid: 54321 };
      process.rlimits = [{ type: 'RLIMIT_NPROC', soft: 2, hard: 2 }];
    });
    await bundle.must(['run', '--detach', bundle.id]);
    expect(await bundle.must(['exec', bundle.id, 'sh', '-c', 'ulimit -u'])).toBe('2\n');
    await bundle.must(['exec', '--detach', bundle.id, 'sleep', '1000']);
    expect(await bundle.refused(['exec', bundle.id, 'true'])).toMatch(/EAGAIN|EWOULDBLOCK/);
    await bundle.destroy();
  }));

test('a container without a mount namespace, entered from another one: its root', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'mount');
    });
    bundle.file('bundle/rootfs/mark', 'inside');
    await bundle.must(['run', '--detach', bundle.id]);
    expect(await bundle.must(['exec', bundle.id, 'cat', '/mark'], { entry: ['unshare', '-m'] })).toBe('inside');
    await bundle.destroy();
  }));

test.each([true, false])(
  'who waits for its start, and may be traced from inside, has no right too many; no_new_privs %s',
  (nnp) =>
    inBundle(async (bundle) => {
      const names = ['CAP_SYS_PTRACE'];
      bundle.write(({ process, linux }) => {
        process.capabilities = { bounding: names, effective: names, permitted: names };
        process.noNewPrivileges = nnp;
        linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW' };
      });
      const fds = ['one', 'two', 'three'].map((name) => openSync(bundle.file(name, name), 'r'));
      await bundle.must(['create', '--preserve-fds', '3', bundle.id], { fds });
      for (const fd of fds) closeSync(fd);
      expect(await bundle.must(['exec', bundle.id, 'grep', '^CapPrm', '/proc/1/status'])).toMatch(/0000000000080000$/m);
      await bundle.start();
      expect(bundle.text(`/proc/${(await bundle.state()).pid}/fd/5`)).toBe('three');
      expect(bundle.proc((await bundle.state()).pid, 'status')).toMatch(/^CapPrm:\t0000000000080000$/m);
      await bundle.destroy();
    }),
);
