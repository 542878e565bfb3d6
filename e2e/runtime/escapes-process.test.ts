/** Ways out of a container through a process of the runtime, shut: descriptors, executable, rights, keys, devices. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bundle, beside, Probe, type Spec } from './escape-bundle.ts';

const probe = new Probe();
beforeAll(() => probe.build());
afterAll(() => probe[Symbol.dispose]());

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
const withCapabilities =
  (more: string[], ambient: string[] = []) =>
  ({ process }: Spec) => {
    process.capabilities = { bounding: more, effective: more, permitted: more, inheritable: ambient, ambient };
  };

/** The command is in the last of so many directories: it is long on its way. */
const longPath = `PATH=${numbers(1, 3000)
  .map((at) => `/none/${at}`)
  .join(':')}:/bin`;

/** exec over and over. */
async function execsWhile(bundle: Bundle, seconds: number): Promise<number> {
  let count = 0;
  for (const end = Date.now() + seconds * 1000; Date.now() < end; count++) {
    expect((await bundle.exec(['true'], ['--env', longPath])).code).toBe(0);
  }
  return count;
}

describe('descriptors and working directories of the host (CVE-2024-21626)', () => {
  test('a working directory that is a descriptor of the runtime leads nowhere out of the container, for run and exec', async () => {
    await using bundle = new Bundle(probe);
    await bundle.started();
    // What the caller hands over for the command is no place to work in, either.
    const caller = ['bash', '-c', 'exec 3</ 20</; exec "$@"', 'bash'];
    // The one descriptor of a directory it may have is that of the container's own root.
    const root = (await bundle.exec(['stat', '-c', '%d:%i', '/'])).stdout;
    for (const fd of numbers(3, 20)) {
      for (const cwd of [`/proc/self/fd/${fd}`, `/proc/thread-self/fd/${fd}/..`]) {
        const words = ['exec', '--preserve-fds', '18', '--cwd', cwd, bundle.id, 'stat', '-c', '%d:%i', '.'];
        const { stdout } = await bundle.runtime(words, caller);
        expect([`${cwd} ${root}`, `${cwd} `]).toContain(`${cwd} ${stdout}`);
      }
    }
    await bundle.runtime(['delete', '--force', bundle.id]);
    for (const fd of numbers(3, 20)) {
      const done = await bundle.ended(['stat', '-c', '%d:%i', '.'], ({ process }) => {
        process.cwd = `/proc/self/fd/${fd}`;
      });
      expect([`${fd} ${root}`, `${fd} `]).toContain(`${fd} ${done.stdout}`);
    }
  });

  test('a process has its three descriptors alone, and its caller’s others do not reach it', async () => {
    await using bundle = new Bundle(probe);
    const caller = ['sh', '-c', 'exec 3</ 4</etc 7</proc 9</root; exec "$@"', 'sh'];
    const only = (text: string) =>
      text
        .split('\n')
        .map((line) => line.split(' ')[0])
        .filter(Boolean);
    bundle.configure(['probe', 'descriptors']);
    expect(only((await bundle.run(caller)).stdout)).toEqual(['0', '1', '2']);
    await bundle.started();
    const done = await bundle.runtime(['exec', bundle.id, 'probe', 'descriptors'], caller);
    expect(only(done.stdout)).toEqual(['0', '1', '2']);
  });

  const kinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;
  test('a hook has its state, its own environment, and nothing of the caller’s', async () => {
    await using bundle = new Bundle(probe);
    // The startContainer hook is a program of the container: what it wrote is read through its root.
    const report = (where: string) =>
      `exec 8>&2; cd ${where}; exec > "$KIND" 2>&1 8>&-; /bin/busybox env; echo --; /bin/busybox cat; echo; echo --; ${
        where === '/tmp' ? '/bin/probe' : probe.file
      } descriptors`;
    bundle.configure(['true'], (spec) => {
      const hook = (kind: string) => {
        const where = kind === 'startContainer' ? '/tmp' : bundle.folder;
        return [{ path: '/bin/busybox', args: ['sh', '-c', report(where)], env: [`KIND=${kind}`, 'A=b c'] }];
      };
      spec.hooks = Object.fromEntries(kinds.map((kind) => [kind, hook(kind)]));
    });
    const caller = ['env', 'SECRET=of-the-caller', 'bash', '-c', 'exec 3</ 5</etc; exec "$@"', 'bash'];
    const done = await bundle.run(caller);
    expect(done.code).toBe(0);
    for (const kind of kinds) {
      const text = readFileSync(join(kind === 'startContainer' ? bundle.inside('tmp') : bundle.folder, kind), 'utf8');
      const [environment = '', state = '', descriptors = ''] = text.split('\n--\n').join('--\n').split('--\n');
      const variables = environment.split('\n').filter((line) => line && !/^(PATH|PWD|OLDPWD|SHLVL)=/.test(line));
      expect([kind, ...variables.sort()]).toEqual([kind, 'A=b c', `KIND=${kind}`]);
      expect(JSON.parse(state)).toMatchObject({ id: bundle.id, bundle: bundle.folder });
      const open = descriptors
        .split('\n')
        .map((line) => line.split(' ')[0])
        .filter(Boolean);
      // Node keeps what lies beyond 16 from nobody: a hook in the runtime's own namespaces may still have those.
      expect([kind, ...open.filter((fd) => Number(fd) <= 16)]).toEqual([kind, '0', '1', '2']);
    }
  });
});

describe('the runtime’s executable (CVE-2019-5736)', () => {
  test('it cannot be written to: as the interpreter of a script, and by exec of /proc/self/exe', async () => {
    await using bundle = new Bundle(probe);
    const product = join(import.meta.dirname, '../../build/Release/stack_shim');
    const before = readFileSync(product);
    writeFileSync(bundle.inside('bin/trick'), '#!/proc/self/exe\n', { mode: 0o755 });
    await bundle.started(['sh', '-c', 'probe hunt look 3 > /found; sleep 1000'], withCapabilities(['CAP_SYS_PTRACE']));
    await execsWhile(bundle, 1);
    for (let round = 0; round < 4; round++) {
      for (const command of ['/proc/self/exe', '/bin/trick']) {
        expect((await bundle.exec([command])).code).not.toBe(0);
      }
    }
    const found = readFileSync(bundle.inside('found'), 'utf8');
    expect(found).toContain('exe is the runtime');
    expect(found).toMatch(/exe (open|write|rewrite|reopen) (ETXTBSY|EPERM)/);
    expect(found).not.toMatch(/(write|truncate) done/);
    expect(readFileSync(product).equals(before)).toBe(true);
  });
});

describe('looking into the runtime’s processes', () => {
  test('one that enters the container cannot be traced from inside, nor read, nor written', async () => {
    await using bundle = new Bundle(probe);
    await bundle.started(['sh', '-c', 'probe hunt attach 3 > /found; sleep 1000']);
    expect(await execsWhile(bundle, 2.5)).toBeGreaterThan(2);
    expect(readFileSync(bundle.inside('found'), 'utf8').trim().split(' \n')).toEqual(['hunting', 'seen the runtime']);
  });

  test('with CAP_SYS_PTRACE it can be looked into, and leads nowhere out of the container', async () => {
    await using bundle = new Bundle(probe);
    await bundle.started(['sh', '-c', 'probe hunt look 3 > /found; sleep 1000'], withCapabilities(['CAP_SYS_PTRACE']));
    expect(await execsWhile(bundle, 2.5)).toBeGreaterThan(2);
    const found = readFileSync(bundle.inside('found'), 'utf8');
    expect(found).toContain('exe is the runtime');
    expect(found).not.toMatch(/foreign|done/);
  });
});

describe('rights of a process, for run and exec', () => {
  test.each([true, false])(
    'what is seen on its way into the container has no more than it shall have (CVE-2016-9962); no_new_privs %s',
    async (nnp) => {
      await using bundle = new Bundle(probe);
      await bundle.started(['sh', '-c', 'probe hunt rights 3 > /found; sleep 1000'], (spec) => {
        withCapabilities(['CAP_SYS_PTRACE', 'CAP_KILL'])(spec);
        spec.process.noNewPrivileges = nnp;
        spec.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW' };
      });
      expect(await execsWhile(bundle, 2.5)).toBeGreaterThan(2);
      const found = readFileSync(bundle.inside('found'), 'utf8').trim().split('\n').slice(1);
      expect(found).toEqual(['holds 0000000000080020']);
    },
  );

  test('nor where it shall have less than the container, whose CAP_SYS_PTRACE it has not', async () => {
    await using bundle = new Bundle(probe);
    await bundle.started(['sh', '-c', 'probe hunt rights 3 > /found; sleep 1000'], (spec) => {
      withCapabilities(['CAP_SYS_PTRACE', 'CAP_KILL'])(spec);
      spec.process.noNewPrivileges = false;
      spec.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW' };
    });
    const file = join(bundle.folder, 'process.json');
    const capabilities = { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'] };
    writeFileSync(file, JSON.stringify({ args: ['true'], cwd: '/', env: [longPath], capabilities }));
    for (const end = Date.now() + 2500; Date.now() < end; ) {
      expect((await bundle.runtime(['exec', '--process', file, bundle.id])).code).toBe(0);
    }
    const found = readFileSync(bundle.inside('found'), 'utf8').trim().split('\n').slice(1);
    expect(found).toEqual(['holds 0000000000000020']);
  });

  const script = [
    'grep -E "^(Cap|Groups|NoNewPrivs|Uid|Gid)" /proc/self/status | tr "\\t" " "',
    'probe bits',
    'ulimit -n; ulimit -Hn; ulimit -c',
  ].join('; ');
  const zero = '0000000000000000';
  const net = '0000000000000400'; // CAP_NET_BIND_SERVICE
  const both = '0000000000000420'; // and CAP_KILL
  const said = (ids: string, groups: string, caps: string[], nnp: number) =>
    [
      `Uid: ${ids}`,
      `Gid: ${ids}`,
      `Groups: ${groups}`,
      ...['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((name, at) => `Cap${name}: ${caps[at]}`),
      `NoNewPrivs: ${nnp}`,
      `securebits 0 keepcaps 0 no_new_privs ${nnp} umask 0027`,
      '512\n600\n0',
    ].join('\n');

  test.each([
    ['root', 0, '', [], [zero, both, both, both, zero], true],
    ['root with groups, without no_new_privs', 0, '7 9', [], [zero, both, both, both, zero], false],
    ['a user', 1000, '', [], [zero, zero, zero, both, zero], true],
    ['a user with an ambient capability', 1000, '5', ['CAP_NET_BIND_SERVICE'], [net, net, net, both, net], true],
  ] as const)('%s', async (_, id, groups, ambient, masks, noNewPrivileges) => {
    await using bundle = new Bundle(probe);
    const numbered = groups.split(' ').filter(Boolean).map(Number);
    const change = (spec: Spec) => {
      withCapabilities(['CAP_NET_BIND_SERVICE', 'CAP_KILL'], [...ambient])(spec);
      spec.process.user = { uid: id, gid: id, umask: 0o027, additionalGids: numbered };
      spec.process.noNewPrivileges = noNewPrivileges;
      spec.process.rlimits = [
        { type: 'RLIMIT_NOFILE', soft: 512, hard: 600 },
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      ];
    };
    const ids = Array(4).fill(id).join(' ');
    const expected = said(ids, groups, [...masks], Number(noNewPrivileges));
    const trimmed = (text: string) => text.replaceAll(/ +$/gm, '').trim();
    // The caller has groups, capabilities and a mask of its own that must not be inherited.
    const caller = [
      'setpriv',
      '--groups',
      '4242,0',
      '--inh-caps',
      '+sys_admin',
      '--ambient-caps',
      '+sys_admin',
      'sh',
      '-c',
      'umask 077; exec "$@"',
      'sh',
    ];
    bundle.configure(['sh', '-c', script], change);
    const ran = await bundle.run(caller);
    expect(trimmed(ran.stdout)).toBe(trimmed(expected));
    await bundle.started(['sleep', '1000'], change);
    const executed = await bundle.runtime(['exec', bundle.id, 'sh', '-c', script], caller);
    expect(trimmed(executed.stdout)).toBe(trimmed(expected));
  });

  test('the caller’s session keyring stays out of reach', async () => {
    await using bundle = new Bundle(probe);
    const holder = [probe.file, 'with-key', 'stack-secret'];
    bundle.configure(['probe', 'key', 'stack-secret'], ({ linux }) => {
      linux.maskedPaths = [];
    });
    const outside = execFileSync(probe.file, ['with-key', 'stack-secret', probe.file, 'key', 'stack-secret'], {
      encoding: 'utf8',
    });
    expect(outside.trim().split('\n').at(-1)).toBe('found');
    const ran = (await bundle.run(holder)).stdout.trim().split('\n');
    expect(ran).toEqual([expect.stringContaining(`_ses.${bundle.id}`), 'ENOKEY']);
    await bundle.started();
    const executed = await bundle.runtime(['exec', bundle.id, 'probe', 'key', 'stack-secret'], holder);
    expect(executed.stdout.trim().split('\n')).toEqual(ran.map((line) => expect.stringContaining(line.slice(0, 5))));
    expect(executed.stdout).toContain('ENOKEY');
  });
});

describe('the state of the runtime', () => {
  test('it is root’s alone while a container waits for its start', async () => {
    await using bundle = new Bundle(probe);
    bundle.configure(['true']);
    const words = ['create', '--bundle', bundle.folder, bundle.id];
    using _ = beside(['true']);
    const created = await bundle.runtime(words, ['sh', '-c', 'umask 0; exec "$@" > /dev/null 2>&1', 'sh']);
    expect(created.code).toBe(0);
    const folder = join(bundle.state, bundle.id);
    const mode = (path: string) => `${statSync(path).uid} ${(statSync(path).mode & 0o777).toString(8)}`;
    expect([mode(folder), mode(join(folder, 'config.json')), mode(join(folder, 'state.json'))]).toEqual([
      '0 700',
      '0 600',
      '0 600',
    ]);
    const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    execFileSync('chmod', ['711', bundle.folder]);
    expect(() =>
      execFileSync(nobody[0]!, [...nobody.slice(1), 'stat', join(folder, 'start')], { stdio: 'pipe' }),
    ).toThrow(/denied/);
  });
});
