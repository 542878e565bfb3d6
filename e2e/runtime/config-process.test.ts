/** Limits, placement, identity and filters of a process of config.json, seen from inside. Source: runtime-spec config.md "Linux Process". */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { MemoryPolicy, Process, Resources } from '../../schemas/oci-runtime.ts';
import { type Bundle, inBundle } from './bundle.ts';
import { receiver } from './receiver.ts';
import { cgroupsNamed } from './remains.ts';

const seesProcess = (bundle: Bundle, script: string, process: Partial<Process>) =>
  bundle.sees(script, (spec) => void Object.assign(spec.process, process));

test('user, groups, umask, directory, environment', () =>
  inBundle(async (bundle) => {
    const seen = await seesProcess(bundle, 'id -u; id -g; id -G; umask; pwd; env | sort | grep -v -e SHLVL -e PWD', {
      user: { uid: 5, gid: 6, umask: 0o27, additionalGids: [8, 9] },
      cwd: '/made/new',
      env: ['PATH=/bin', 'A=b=c', 'EMPTY='],
    });
    expect(seen).toBe('5\n6\n6 8 9\n0027\n/made/new\nA=b=c\nEMPTY=\nHOME=/\nPATH=/bin');
  }));

test('rlimits are lowered, of the container and of what enters it', () =>
  inBundle(async (bundle) => {
    bundle.write(({ process }) => {
      process.rlimits = [
        { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      ];
    });
    await bundle.must(['run', '-d', bundle.id]);
    const limits = bundle.proc((await bundle.state()).pid, 'limits');
    expect(limits).toMatch(/^Max open files +100 +200 /m);
    expect(limits).toMatch(/^Max core file size +0 +0 /m);
    expect(await bundle.must(['exec', bundle.id, 'sh', '-c', 'ulimit -Sn; ulimit -Hn'])).toBe('100\n200\n');
    await bundle.destroy();
  }));

test('capabilities, ambient ones too; no_new_privs', () =>
  inBundle(async (bundle) => {
    const three = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID'];
    const two = three.slice(0, 2);
    const seen = await seesProcess(bundle, 'grep -E "^(Cap|NoNew)" /proc/self/status', {
      user: { uid: 5, gid: 5 },
      noNewPrivileges: true,
      capabilities: {
        bounding: three,
        permitted: two,
        effective: two,
        inheritable: ['CAP_CHOWN'],
        ambient: ['CAP_CHOWN'],
      },
    });
    const value = (name: string) => Number.parseInt(new RegExp(`${name}:\\s+(\\w+)`).exec(seen)![1]!, 16);
    // For who is not root an exec leaves what is ambient.
    expect(['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs'].map(value)).toEqual([1, 1, 1, 0xa1, 1, 1]);
  }));

test('oomScoreAdj, scheduler, ioPriority, personality', () =>
  inBundle(async (bundle) => {
    // proc_pid_stat(5): 19 is the nice value, 40 the real-time priority, 41 the policy.
    const script = 'cat /proc/self/oom_score_adj; cut -d" " -f19,40,41 /proc/self/stat; ionice -p $$; uname -m';
    const seen = await bundle.sees(script, ({ process, linux }) => {
      process.oomScoreAdj = 321;
      process.scheduler = { policy: 'SCHED_BATCH', nice: 5 };
      process.ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 6 };
      linux.personality = { domain: 'LINUX32' };
    });
    expect(seen).toMatch(/^321\n5 0 3\nbest-effort: prio 6\ni686$/);
    const idle = await seesProcess(bundle, 'cut -d" " -f41 /proc/self/stat; ionice -p $$', {
      scheduler: { policy: 'SCHED_IDLE' },
      ioPriority: { class: 'IOPRIO_CLASS_IDLE' },
    });
    expect(idle).toBe('5\nidle');
  }));

test('execCPUAffinity is of an exec alone', () =>
  inBundle(async (bundle) => {
    bundle.write(({ process }) => {
      process.execCPUAffinity = { initial: '0', final: '1' };
    });
    await bundle.must(['run', '-d', bundle.id]);
    const list = /^Cpus_allowed_list:\s+(.*)$/m;
    const own = list.exec(bundle.proc((await bundle.state()).pid, 'status'))![1];
    expect(own).not.toBe('1');
    expect(list.exec(await bundle.must(['exec', bundle.id, 'cat', '/proc/self/status']))![1]).toBe('1');
    await bundle.destroy();
  }));

test.each<[MemoryPolicy, RegExp]>([
  [{ mode: 'MPOL_BIND', nodes: '0' }, /^\w+ bind:0 /],
  [{ mode: 'MPOL_PREFERRED', nodes: '0' }, /^\w+ prefer:0 /],
  [{ mode: 'MPOL_INTERLEAVE', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] }, /^\w+ interleave=static:0 /],
  [{ mode: 'MPOL_LOCAL' }, /^\w+ local /],
])('memoryPolicy %j', (policy, line) =>
  inBundle(async (bundle) => {
    const seen = await bundle.sees('cat /proc/self/numa_maps', ({ linux }) => {
      linux.memoryPolicy = policy;
    });
    expect(seen).toMatch(line);
  }),
);

test('a memory policy the kernel refuses is told', () =>
  inBundle(async (bundle) => {
    bundle.write(({ linux }) => {
      linux.memoryPolicy = { mode: 'MPOL_BIND', nodes: '1000' };
    });
    expect(await bundle.refused(['create', bundle.id])).toMatch(/set_mempolicy|memoryPolicy/);
  }));

test('a session keyring of its own', () =>
  inBundle(async (bundle) => {
    expect(await bundle.sees('grep -c "_ses.$0" /proc/keys', ({ process }) => void process.args!.push(bundle.id))).toBe(
      '1',
    );
  }));

test('seccomp: an errno, a kill, and all else', () =>
  inBundle(async (bundle) => {
    const seen = await bundle.sees('mkdir /x 2>&1; grep ^Seccomp: /proc/self/status; (sync); echo $?', ({ linux }) => {
      linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 },
          { names: ['sync'], action: 'SCMP_ACT_KILL_PROCESS' },
        ],
      };
    });
    expect(seen).toMatch(/No space left on device\nSeccomp:\s+2\n(.*\n)?159$/);
  }));

test.each([true, false])(
  'seccomp notifications go to the listener, with the state; no_new_privs %s',
  (noNewPrivileges) =>
    inBundle(async (bundle) => {
      const listenerPath = bundle.file('agent');
      const agent = await receiver(bundle, 'notifications', listenerPath);
      bundle.write(({ linux, process }) => {
        process.args = ['sh', '-c', 'mkdir /x; exec sleep 1000'];
        process.noNewPrivileges = noNewPrivileges;
        linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          listenerPath,
          listenerMetadata: 'of the "agent"',
          syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_NOTIFY' }],
        };
      });
      await bundle.must(['run', '-d', bundle.id]);
      const { pid } = await bundle.state();
      const { stdout, stderr } = await bundle.said(1, 'No space left on device');
      expect(stdout + stderr).toContain('/x');
      await bundle.destroy();
      // The descriptor ends with the last process under the filter.
      const { count, message } = await agent.ended;
      expect(count).toBe(1);
      expect(message).toEqual({
        ociVersion: '1.3.0',
        fds: ['seccompFd'],
        metadata: 'of the "agent"',
        pid,
        state: {
          ...{ ociVersion: '1.3.0', id: bundle.id, status: 'creating', pid, bundle: bundle.path },
          annotations: { 'org.example.test': bundle.id },
        },
      });
    }),
);

test('a seccomp listener that nobody is at is told', () =>
  inBundle(async (bundle) => {
    bundle.write(({ linux }) => {
      linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        listenerPath: bundle.file('nobody'),
        syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
      };
    });
    expect(await bundle.refused(['create', bundle.id])).toContain('nobody');
  }));

test.each([
  ['AppArmor', existsSync('/sys/module/apparmor'), { apparmorProfile: 'none-such' }],
  ['SELinux', existsSync('/sys/fs/selinux/enforce'), { selinuxLabel: 'a:b:c' }],
] as const)('without %s its label is an error that says so', (module, isThere, label) =>
  inBundle(async (bundle) => {
    bundle.write(({ process }) => void Object.assign(process, label));
    const said = await bundle.refused(['create', bundle.id]);
    if (!isThere) expect(said).toContain(module);
    bundle.write();
    await bundle.must(['run', '-d', bundle.id]);
    const flag = module === 'AppArmor' ? '--apparmor' : '--process-label';
    expect(await bundle.refused(['exec', flag, 'x', bundle.id, 'true'])).toContain(isThere ? 'x' : module);
    await bundle.destroy();
  }),
);

test('without resctrl intelRdt is an error that says so', () =>
  inBundle(async (bundle) => {
    if (existsSync('/sys/fs/resctrl/schemata')) return console.log('skipped: this machine has resctrl');
    bundle.write(({ linux }) => {
      linux.intelRdt = { l3CacheSchema: 'L3:0=f' };
    });
    expect(await bundle.refused(['create', bundle.id])).toContain('intelRdt');
  }));

test.each<[string, Resources, [v1: string, v2: string, value: string][]]>([
  ['pids', { pids: { limit: 12 } }, [['pids.max', 'pids.max', '12']]],
  [
    'memory',
    { memory: { limit: 64 << 20, reservation: 32 << 20 } },
    [
      ['memory.limit_in_bytes', 'memory.max', String(64 << 20)],
      ['memory.soft_limit_in_bytes', 'memory.low', String(32 << 20)],
    ],
  ],
  [
    'cpu',
    { cpu: { shares: 512, quota: 20_000, period: 50_000, cpus: '0' } },
    [
      ['cpu.cfs_quota_us', 'cpu.max', '20000'],
      ['cpu.cfs_period_us', 'cpu.max', '50000'],
      ['cpuset.cpus', 'cpuset.cpus', '0'],
    ],
  ],
])('limits of the %s controller are in its files, and go with the container', (_, resources, expected) =>
  inBundle(async (bundle) => {
    bundle.write(({ linux }) => {
      linux.resources = resources;
      linux.cgroupsPath = `/${bundle.id}/deep/er`;
    });
    await bundle.create();
    const tops = cgroupsNamed(bundle.id);
    for (const [v1, v2, value] of expected) {
      const values = tops
        .flatMap((top) => [v1, v2].map((name) => bundle.text(`${top}/deep/er/${name}`)))
        .filter(Boolean);
      expect([v1, values]).toEqual([v1, expect.arrayContaining([expect.stringContaining(value)])]);
    }
    await bundle.destroy();
    expect(cgroupsNamed(bundle.id).flatMap((top) => (existsSync(`${top}/deep/er`) ? [top] : []))).toEqual([]);
    bundle.clear(cgroupsNamed(bundle.id));
  }),
);

test('a limit holds: pids, and devices that are not allowed', () =>
  inBundle(async (bundle) => {
    const seen = await bundle
      .sees('sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & head -c 1 /dev/zero | wc -c', ({ linux }) => {
        linux.resources = { pids: { limit: 4 } };
      })
      .catch((error: Error) => error.message);
    expect(seen).toContain("can't fork");
    const devices = await bundle
      .sees('head -c 1 /dev/zero | wc -c; mknod /tmp/mem c 1 1; head -c 1 /tmp/mem 2>&1', ({ linux }) => {
        linux.resources = { devices: [{ allow: false, access: 'rwm' }] };
      })
      .catch((error: Error) => error.message);
    expect(devices).toMatch(/1\n.*not permitted/s);
  }));
