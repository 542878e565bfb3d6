/** Service attributes as a process finds them in its container, several in each container. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { expectError, idle, scenario } from './harness/scenario.ts';

const world = scenario();
const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
const inside = (stack: Project, service: string, script: string) =>
  stack.ok(['exec', '-T', service, 'sh', '-c', script]).then((text) => text.trimEnd());

describe('limits', () => {
  test('processors, memory, block devices and devices, each in its cgroup file; a parent of the service’s own', async () => {
    const stack = world.project('limits', {
      services: {
        one: {
          ...idle,
          cpu_period: 50_000,
          cpu_quota: 25_000,
          cpuset: '0',
          mem_limit: '64m',
          memswap_limit: '96m',
          mem_reservation: '32m',
          mem_swappiness: 10,
          oom_kill_disable: true,
          oom_score_adj: 300,
          blkio_config: {
            device_read_bps: [{ path: '/dev/vda', rate: '1mb' }],
            device_write_iops: [{ path: '/dev/vda', rate: 50 }],
          },
          device_cgroup_rules: ['c 10:200 rwm'],
          cgroup_parent: `/${world.host.cgroupParent}-own`,
          deploy: { resources: { limits: { pids: 55 } } },
        },
      },
    });
    const up = await stack.stack(['up', '-d']);
    expect(up.code, up.stderr).toBe(0);
    if (isV2) expect(up.stderr).toMatch(/mem_swappiness is left out[\s\S]*oom_kill_disable is left out/);
    const files = isV2
      ? ['cpu.max', 'cpuset.cpus', 'memory.max', 'memory.low', 'pids.max']
      : [
          ...['cpu/cpu.cfs_period_us', 'cpu/cpu.cfs_quota_us', 'cpuset/cpuset.cpus', 'memory/memory.limit_in_bytes'],
          ...['memory/memory.memsw.limit_in_bytes', 'memory/memory.soft_limit_in_bytes', 'memory/memory.swappiness'],
          'pids/pids.max',
        ];
    const values = await inside(stack, 'one', `cd /sys/fs/cgroup; cat ${files.join(' ')}`);
    const expected = isV2
      ? ['25000 50000', '0', '67108864', '33554432', '55']
      : ['50000', '25000', '0', '67108864', '100663296', '33554432', '10', '55'];
    expect(values.split('\n')).toEqual(expected);
    expect(await inside(stack, 'one', 'cat /proc/1/oom_score_adj')).toBe('300');
    if (!isV2) {
      const more = 'cd /sys/fs/cgroup; cat memory/memory.oom_control devices/devices.list blkio/blkio.throttle.*';
      const read = await inside(stack, 'one', more);
      expect(read).toContain('oom_kill_disable 1');
      expect(read).toContain('c 10:200 rwm');
      expect(read).toMatch(/^\d+:\d+ 1048576$/m);
      expect(read).toMatch(/^\d+:\d+ 50$/m);
      const parent = `/sys/fs/cgroup/pids/${world.host.cgroupParent}-own`;
      expect(existsSync(parent)).toBe(true);
      await stack.ok(['down', '-t', '0']);
      // As with docker the parent stays, and nothing below it.
      expect((await world.host.read(`find ${parent} -mindepth 1 -type d`)).trim()).toBe('');
      for (const at of (await world.host.read(`ls -d /sys/fs/cgroup/*/${world.host.cgroupParent}-own`)).split('\n')) {
        await world.host.read(`rmdir ${at}`);
      }
    }
  });
});

describe('devices', () => {
  test('a node under another name, a device of CDI, group_add; what is not there is told', async () => {
    const folder = '/etc/cdi';
    const isMine = !existsSync(folder);
    mkdirSync(folder, { recursive: true });
    const file = `${folder}/stack-e2e-${process.pid}.yaml`;
    const kind = `stack-e2e-${process.pid}.com/gpu`;
    writeFileSync(
      file,
      JSON.stringify({
        cdiVersion: '0.6.0',
        kind,
        devices: [0, 1].map((number) => ({
          name: String(number),
          containerEdits: {
            env: [`GPU_${number}=yes`],
            deviceNodes: [{ path: `/dev/gpu${number}`, hostPath: '/dev/zero' }],
          },
        })),
        containerEdits: { mounts: [{ hostPath: '/etc/hostname', containerPath: '/usr/lib/driver', options: ['ro'] }] },
      }),
    );
    try {
      const stack = world.project('devices', {
        services: {
          one: {
            ...idle,
            devices: ['/dev/fuse:/dev/other:r', `${kind}=1`],
            gpus: [{ driver: kind, count: 1 }],
            group_add: ['4242'],
          },
          all: { ...idle, privileged: true },
        },
      });
      if (!existsSync('/dev/fuse'))
        stack.define({ services: { one: { ...idle, devices: ['/dev/kmsg:/dev/other:r'] } } });
      await stack.ok(['up', '-d']);
      const script =
        'ls /dev/other; ls /dev | grep gpu | tr "\\n" " "; echo "$GPU_0 $GPU_1"; test -s /usr/lib/driver && echo driver; head -c 4 /dev/gpu0 | wc -c; id -G; (echo > /dev/other) 2>&1 | grep -o "not permitted"';
      expect(await inside(stack, 'one', script)).toBe(
        '/dev/other\ngpu0 gpu1 yes yes\ndriver\n4\n0 4242\nnot permitted',
      );
      const privileged =
        'ls /dev/kmsg; touch /sys/x 2>&1 | grep -c "Read-only"; grep Seccomp: /proc/1/status | tr -d "\\t"; mkdir /m && mount -t tmpfs t /m && echo mounted';
      expect(await inside(stack, 'all', privileged)).toBe('/dev/kmsg\n0\nSeccomp:0\nmounted');
      const none = world.project('no-gpu', { services: { one: { ...idle, gpus: [{ driver: 'nvidia', count: 1 }] } } });
      expectError(await none.stack(['up', '-d']), 1, /no CDI specification describes a device of the driver nvidia/);
    } finally {
      rmSync(file, { force: true });
      if (isMine) rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('namespaces', () => {
  test('ipc, pid, uts and cgroup: shared with a service, with the host, or not at all', async () => {
    const stack = world.project('spaces', {
      services: {
        donor: { ...idle, ipc: 'shareable', hostname: 'donor' },
        guest: { ...idle, ipc: 'service:donor', pid: 'service:donor', volumes_from: ['holder:ro'] },
        host: { ...idle, ipc: 'host', pid: 'host', uts: 'host', cgroup: 'host', userns_mode: 'host' },
        none: { ...idle, ipc: 'none' },
        holder: { ...idle, volumes: ['/anonymous', 'data:/named'] },
      },
      volumes: { data: {} },
    });
    await stack.ok(['up', '-d']);
    const space = (service: string, kind: string) => inside(stack, service, `readlink /proc/self/ns/${kind}`);
    const own = (kind: string) => world.host.read(`readlink /proc/self/ns/${kind}`);
    for (const kind of ['ipc', 'pid']) {
      expect(await space('guest', kind)).toBe(await space('donor', kind));
      expect(await space('host', kind)).toBe(await own(kind));
    }
    const other = world.project('elsewhere', {
      services: { one: { ...idle, network_mode: 'container:spaces-donor-1', pid: 'container:spaces-donor-1' } },
    });
    await other.ok(['up', '-d']);
    expect(await inside(other, 'one', 'readlink /proc/self/ns/net')).toBe(await space('donor', 'net'));
    expect(await inside(other, 'one', 'readlink /proc/self/ns/pid')).toBe(await space('donor', 'pid'));
    await other.ok(['down', '-t', '0']);
    expect([await space('host', 'uts'), await space('host', 'cgroup')]).toEqual([
      await own('uts'),
      await own('cgroup'),
    ]);
    expect(await space('none', 'ipc')).not.toBe(await own('ipc'));
    expect(await inside(stack, 'none', 'grep -c /dev/shm /proc/mounts || true')).toBe('0');
    await inside(stack, 'donor', 'echo shared > /dev/shm/word');
    expect(await inside(stack, 'guest', 'cat /dev/shm/word')).toBe('shared');
    expect(await inside(stack, 'guest', 'tr "\\0" " " < /proc/1/cmdline | wc -c')).not.toBe('0');
    await inside(stack, 'holder', 'echo kept > /anonymous/a; echo kept > /named/b');
    expect(await inside(stack, 'guest', 'cat /anonymous/a /named/b; (touch /named/c) 2>&1 | grep -o "Read-only"')).toBe(
      'kept\nkept\nRead-only',
    );
    // The guest cannot outlive the namespaces it lives in.
    await stack.ok(['restart', '-t', '1', 'donor']);
    expect(await space('guest', 'pid')).toBe(await space('donor', 'pid'));
    expect(await inside(stack, 'guest', 'ls /dev/shm | wc -l')).toBe('0');
    expect((await stack.ok(['plan'])).trim()).toMatch(/no changes|nothing/i);
    const private_ = world.project('closed', {
      services: { donor: idle, guest: { ...idle, ipc: 'service:donor' } },
    });
    expectError(await private_.stack(['up', '-d']), 1, /ipc: shareable/);
  });
});

describe('security', () => {
  test('a seccomp profile in docker’s form, relative to the stack file; isolation and runtime that are the usual ones', async () => {
    const stack = world.project('profile', {
      services: {
        one: {
          ...idle,
          init: false,
          security_opt: ['seccomp:./profile.json', 'no-new-privileges'],
          isolation: 'default',
          runtime: 'runc',
        },
      },
    });
    stack.write(
      'profile.json',
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
        syscalls: [
          {
            names: ['mkdir', 'mkdirat'],
            action: 'SCMP_ACT_ERRNO',
            errnoRet: 28,
            excludes: { caps: ['CAP_SYS_ADMIN'] },
          },
          { name: 'chmod', action: 'SCMP_ACT_ERRNO', includes: { caps: ['CAP_SYS_ADMIN'] } },
        ],
      }),
    );
    await stack.ok(['up', '-d']);
    expect(
      await inside(
        stack,
        'one',
        '(mkdir /x) 2>&1 | grep -o "No space left"; chmod 700 /tmp && echo chmod; grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status | tr -d "\\t"',
      ),
    ).toBe('No space left\nchmod\nNoNewPrivs:1\nSeccomp:2');
    expect(readFileSync(`${stack.folder}/profile.json`, 'utf8')).toContain('SCMP_ACT_ALLOW');
  });

  test('what cannot be done is refused with a reason, what means nothing is told and passed over', async () => {
    const refused = world.project('refused', {
      services: { one: { ...idle, userns_mode: 'keep-id', storage_opt: { fuse: '1g' } } },
    });
    expectError(await refused.stack(['up', '-d']), 1, /users?|ids/, /another storage driver/);
    const told = world.project('told', {
      services: { one: { ...idle, cpu_percent: 50, deploy: { placement: { constraints: ['node.role==manager'] } } } },
    });
    const up = await told.stack(['up', '-d']);
    expect([up.code, up.stderr]).toEqual([
      0,
      expect.stringMatching(/cpu_percent is ignored[\s\S]*placement is ignored/),
    ]);
  });
});
