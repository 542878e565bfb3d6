/** What the set-up of a process asks of the filter and the limits it runs under, and whose groups it has. Source: seccomp(2), setgroups(2), user_namespaces(7). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Seccomp } from '../../schemas/oci-runtime.ts';
import { inBundle } from './bundle.ts';

/** A process beside the test, once it has said something; killed at the end of the scope. */
async function ready(words: string[]): Promise<Disposable & { pid: number }> {
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return { pid: child.pid!, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

/** What a set-up does and a program need not: sockets, ids, rights, descriptors. */
const ofSetUp = [
  ...['socket', 'connect', 'accept', 'accept4', 'sendmsg', 'sendto', 'recvmsg', 'recvfrom'],
  ...['setgroups', 'setresuid', 'setresgid', 'umask', 'capget', 'setsid', 'chdir', 'getcwd'],
  ...['close_range', 'dup', 'fchown', 'openat2', 'clone3'],
];
const without = (...names: string[]): Seccomp => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [
    { names, action: 'SCMP_ACT_KILL_PROCESS' },
    // Busybox asks for its name.
    { names: ['prctl'], action: 'SCMP_ACT_KILL_PROCESS', args: [{ index: 0, value: 16, op: 'SCMP_CMP_NE' }] },
  ],
});

test.each([true, false])('a filter allows what the program needs, not what its set-up needs; no_new_privs %s', (nnp) =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.args = ['sleep', '1000'];
      spec.process.user = { uid: 5, gid: 6, additionalGids: [7] };
      spec.process.noNewPrivileges = nnp;
      spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 64 }];
      spec.linux.seccomp = without(...ofSetUp, ...(nnp ? ['capset'] : []));
    });
    await bundle.create();
    await bundle.start();
    const { pid, status } = await bundle.state();
    expect(status).toBe('running');
    const told = bundle.proc(pid, 'status');
    expect(told).toMatch(/^Uid:\t5\t5\t5\t5$/m);
    expect(told).toMatch(/^Groups:\t7 $/m);
    expect(told).toMatch(/^CapPrm:\t0+$/m);
    expect(told).toMatch(/^Seccomp:\t2$/m);
    expect(await bundle.must(['exec', bundle.id, 'echo', 'entered'])).toBe('entered\n');
    await bundle.destroy();
  }),
);

const grouped = { entry: ['setpriv', '--groups', '4242,4343'] };
const groupsOf = 'grep ^Groups: /proc/self/status';

test.each([true, false])('a filter that refuses setgroups does not leave the caller’s groups; no_new_privs %s', (nnp) =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.noNewPrivileges = nnp;
      spec.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['setgroups'], action: 'SCMP_ACT_ERRNO' }],
      };
    });
    await bundle.must(['run', '-d', bundle.id], grouped);
    expect(bundle.proc((await bundle.state()).pid, 'status')).toMatch(/^Groups:\t ?$/m);
    expect(await bundle.must(['exec', bundle.id, 'sh', '-c', groupsOf], grouped)).toMatch(/^Groups:\s*$/);
    await bundle.destroy();
  }),
);

test('nor does a user namespace that denies it', () =>
  inBundle(async (bundle) => {
    const holding = 'echo ready; exec sleep 1000';
    using holder = await ready(['unshare', '-U', '--setgroups', 'deny', 'sh', '-c', holding]);
    const { pid } = holder;
    for (const kind of ['uid', 'gid']) writeFileSync(`/proc/${pid}/${kind}_map`, '0 0 65536\n');
    bundle.open();
    const seen = await bundle.sees(
      groupsOf,
      (spec) => {
        spec.linux.namespaces.push({ type: 'user', path: `/proc/${pid}/ns/user` });
        spec.mounts = spec.mounts.filter(({ type }) => type === 'proc');
      },
      grouped,
    );
    expect(seen).toMatch(/^Groups:\s*$/);
  }));

test('a caller that may not drop its groups keeps them, and is told', () =>
  inBundle(async (bundle) => {
    bundle.open();
    const entry = [...grouped.entry, 'unshare', '-r', '-m', '-n', '-i', '-p', '-f', '--mount-proc'];
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', groupsOf];
      spec.mounts = spec.mounts.filter(({ type }) => type === 'proc');
    });
    const said = await bundle.call(['--cgroup-manager', 'disabled', 'run', bundle.id], { entry });
    expect(said).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Groups:\t65534 65534/) });
    expect(said.stderr).toMatch(/setgroups/);
  }));

test('a listener that does not take connections is not waited for without end', { timeout: 60_000 }, () =>
  inBundle(async (bundle) => {
    const listenerPath = bundle.file('deaf');
    const script = [
      'import socket, sys, time',
      's = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)',
      'c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])',
      'print("ready", flush=True); time.sleep(1000)',
    ].join('\n');
    using _ = await ready(['python3', '-c', script, listenerPath]);
    bundle.write(({ linux }) => {
      linux.seccomp = { ...without(), listenerPath, syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] };
    });
    const began = Date.now();
    expect(await bundle.refused(['create', bundle.id], { entry: ['timeout', '40'] })).toMatch(
      /listener.*deaf|deaf.*listener/s,
    );
    expect(Date.now() - began).toBeLessThan(35_000);
  }),
);

test('no more descriptors than the command is given', () =>
  inBundle(async (bundle) => {
    const fds = ['one', 'two'].map((name) => openSync(bundle.file(name, name), 'r'));
    const limit = 5; // the three streams and the two
    bundle.write(({ process }) => {
      process.args = ['readlink', '/proc/self/fd/4'];
      process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: limit, hard: limit }];
    });
    const said = await bundle.must(['run', '--preserve-fds', '2', bundle.id], { fds });
    for (const fd of fds) closeSync(fd);
    expect(said.trim()).toBe(bundle.file('two'));
  }));
