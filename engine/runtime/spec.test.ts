import { expect, test } from 'vitest';
import type { ImageConfig } from '../../schemas/oci-image.ts';
import { runtimeSpec } from '../../schemas/oci-runtime.schema.ts';
import type { Service } from '../../schemas/project.ts';
import { defaultSeccomp } from './seccomp/seccomp.ts';
import { containerHostname, type SpecRequest, toRuntimeSpec } from './spec.ts';

const id = '0123456789ab'.padEnd(64, 'f');
type Image = NonNullable<ImageConfig['config']>;

function spec(config: Partial<Service> = {}, image: Image = {}, rest: Partial<SpecRequest> = {}) {
  return toRuntimeSpec({
    id,
    stack: 'demo',
    service: 'web',
    config: { command: ['sleep', '1'], entrypoint: null, ...config },
    image: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, config: image },
    user: { uid: 0, gid: 0, additionalGids: [0, 10], home: '/root' },
    mounts: [],
    rootPath: 'rootfs',
    files: { hosts: '/c/hosts', hostname: '/c/hostname', resolvConf: '/c/resolv.conf' },
    hostHostname: 'machine',
    cgroupsPath: '/stack/demo/x',
    seccomp: defaultSeccomp,
    ...rest,
  });
}

test('a plain service is a valid config.json with docker’s defaults', () => {
  const plain = spec();
  expect(runtimeSpec.parse(plain)).toEqual(plain);
  expect(plain).toMatchObject({
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, additionalGids: [0, 10] },
      args: ['sleep', '1'],
      cwd: '/',
      noNewPrivileges: false,
      rlimits: [],
    },
    root: { path: 'rootfs' },
    hostname: '0123456789ab',
    linux: { cgroupsPath: '/stack/demo/x', seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } },
  });
  expect(plain.linux!.namespaces!.map((one) => one.type)).toEqual(['mount', 'network', 'uts', 'pid', 'ipc', 'cgroup']);
  expect(plain.mounts!.map((one) => one.destination)).toEqual([
    ...['/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/dev/shm'],
    ...['/etc/resolv.conf', '/etc/hostname', '/etc/hosts'],
  ]);
  expect(plain.process!.capabilities!.bounding).toHaveLength(14);
  expect(plain.process!.capabilities!.effective).toEqual(plain.process!.capabilities!.bounding);
  expect(plain.process!.capabilities!.ambient).toBeUndefined();
});

test.each([
  [null, null, ['/entry'], ['cmd'], ['/entry', 'cmd']],
  [null, ['own'], ['/entry'], ['cmd'], ['/entry', 'own']],
  [['/own'], null, ['/entry'], ['cmd'], ['/own']],
  [['/own'], ['arg'], ['/entry'], ['cmd'], ['/own', 'arg']],
  [[], null, ['/entry'], ['cmd'], ['cmd']],
  [[], ['own'], ['/entry'], ['cmd'], ['own']],
  [null, [], ['/entry'], ['cmd'], ['/entry', 'cmd']],
  [null, null, null, ['cmd'], ['cmd']],
  [null, null, ['/entry'], null, ['/entry']],
] as (string[] | null)[][])(
  'entrypoint %j, command %j on image %j %j runs %j',
  (entrypoint, command, Entrypoint, Cmd, args) => {
    expect(spec({ entrypoint: entrypoint!, command: command! }, { Entrypoint, Cmd }).process!.args).toEqual(args);
  },
);

test('nothing to run is refused', () => {
  expect(() => spec({ command: null })).toThrow(/services\.web: neither the service nor its image says what to run/);
});

test('environment: defaults, then the image, then the service; null removes', () => {
  const env = spec(
    { environment: { A: 'service', C: '', GONE: null, PATH: '/own' }, tty: true, domainname: 'test' },
    { Env: ['PATH=/image', 'A=image', 'B=image=1', 'GONE=x', 'nonsense'] },
  ).process!.env;
  expect(env).toEqual([
    'PATH=/own',
    'HOSTNAME=0123456789ab.test',
    'TERM=xterm',
    'A=service',
    'B=image=1',
    'C=',
    'HOME=/root',
  ]);
});

test('HOME is the user’s unless somebody says otherwise', () => {
  const user = { uid: 70, gid: 70, additionalGids: [70], home: '/var/lib/postgresql' };
  expect(spec({}, {}, { user }).process!.env).toContain('HOME=/var/lib/postgresql');
  expect(spec({ environment: { HOME: '/h' } }, {}, { user }).process!.env).toContain('HOME=/h');
  expect(spec({}, { Env: ['HOME='] }, { user }).process!.env).toContain('HOME=/var/lib/postgresql');
});

test.each([
  [undefined, undefined, '/'],
  ['/own', '/image', '/own'],
  [undefined, '/image/', '/image'],
  [undefined, 'relative/x', '/relative/x'],
  ['/a/../b/./c//d', undefined, '/b/c/d'],
])('working_dir %j on image %j is %j', (own, image, cwd) => {
  const config = own === undefined ? {} : { working_dir: own };
  expect(spec(config, image === undefined ? {} : { WorkingDir: image }).process!.cwd).toBe(cwd);
});

test('hostname: set, short id, or the host’s in its network', () => {
  const request = { id, config: { command: null, entrypoint: null }, hostHostname: 'machine' };
  expect(containerHostname({ ...request, config: { ...request.config, hostname: 'web' } })).toBe('web');
  expect(containerHostname(request)).toBe('0123456789ab');
  expect(containerHostname({ ...request, namespaces: { network: 'host' } })).toBe('machine');
});

test.each([
  [{ cap_drop: ['ALL'] }, []],
  [{ cap_drop: ['ALL'], cap_add: ['net_admin', 'CAP_KILL'] }, ['CAP_KILL', 'CAP_NET_ADMIN']],
  [{ cap_drop: ['CHOWN'], cap_add: ['SYS_PTRACE'] }, 14],
  [{ cap_add: ['ALL'] }, 41],
  [{ cap_add: ['ALL'], cap_drop: ['SYS_ADMIN', 'SYS_MODULE'] }, 39],
  [{ privileged: true }, 41],
] as [Partial<Service>, string[] | number][])('capabilities of %j', (config, expected) => {
  const names = spec(config).process!.capabilities!.bounding!;
  if (typeof expected === 'number') expect(names).toHaveLength(expected);
  else expect(names).toEqual(expected);
});

test('capabilities: a user other than root has them in the bounding set alone; ALL ends at what we have', () => {
  const user = { uid: 1, gid: 1, additionalGids: [1], home: '/' };
  expect(Object.keys(spec({}, {}, { user }).process!.capabilities!)).toEqual(['bounding']);
  const some = spec({ cap_add: ['ALL'] }, {}, { availableCapabilities: ['CAP_CHOWN', 'CAP_KILL'] });
  expect(some.process!.capabilities!.bounding).toEqual(['CAP_CHOWN', 'CAP_KILL']);
  expect(() => spec({ cap_add: ['NET_ADMN'] })).toThrow(/services\.web\.cap_add: "NET_ADMN" is not a capability/);
});

test('security options', () => {
  const options = (...security_opt: string[]) => spec({ security_opt });
  expect(options('no-new-privileges').process!.noNewPrivileges).toBe(true);
  expect(options('no-new-privileges:true').process!.noNewPrivileges).toBe(true);
  expect(options('no-new-privileges=false').process!.noNewPrivileges).toBe(false);
  expect(options('seccomp:unconfined').linux!.seccomp).toBeUndefined();
  expect(options('systempaths=unconfined').linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] });
  expect(options('apparmor:unconfined', 'label=disable')).toEqual(spec());
  for (const option of ['label=colour:red', 'label=type:a:b', 'label=', 'apparmor=']) {
    expect(() => options(option), option).toThrow(expect.objectContaining({ code: 'config.value' }));
  }
  expect(() => options('no-new-priv')).toThrow(/is not a security option/);
});

test.each([
  [{}, ['default', {}]],
  [
    { security_opt: ['apparmor=mine', 'label=type:x', 'label:level:s0:c1,c2'] },
    ['mine', { type: 'x', level: 's0:c1,c2' }],
  ],
  [{ security_opt: ['apparmor:unconfined', 'label=disable'] }, ['unconfined', { isDisabled: true }]],
  [{ privileged: true }, ['unconfined', { isDisabled: true }]],
  [{ privileged: true, security_opt: ['apparmor=mine'] }, ['mine', { isDisabled: true }]],
] as [Partial<Service>, unknown[]][])('security modules: %j asks for %j', (config, expected) => {
  const asked: unknown[] = [];
  const modules: SpecRequest['modules'] = {
    apparmor(profile, resource) {
      expect(resource).toBe('services.web.security_opt');
      asked.push(profile ?? 'default');
      return 'chosen';
    },
    selinux(options) {
      asked.push(options);
      return { process: 'u:r:t:s0', mount: 'u:r:f:s0' };
    },
  };
  const made = spec(config, {}, { modules });
  expect(asked).toEqual(expected);
  expect(made.process).toMatchObject({ apparmorProfile: 'chosen', selinuxLabel: 'u:r:t:s0' });
  expect(made.linux!.mountLabel).toBe('u:r:f:s0');
  expect(runtimeSpec.parse(made)).toEqual(made);
});

test('a seccomp profile is asked for by its file, also where the container is privileged', () => {
  const files: unknown[] = [];
  const seccomp = (capabilities: string[], file?: string) => {
    files.push([file, capabilities.includes('CAP_SYS_ADMIN')]);
    return { defaultAction: 'SCMP_ACT_ALLOW' as const };
  };
  const profile = { security_opt: ['seccomp:/p.json'] };
  expect(spec(profile, {}, { seccomp }).linux!.seccomp).toEqual({ defaultAction: 'SCMP_ACT_ALLOW' });
  expect(spec({ ...profile, privileged: true }, {}, { seccomp }).linux!.seccomp).toBeDefined();
  expect(files).toEqual([
    ['/p.json', false],
    ['/p.json', true],
  ]);
});

test('what devices bring: nodes, rules, variables under the service’s own, mounts, groups', () => {
  const node = { type: 'c', path: '/dev/gpu', major: 10, minor: 5, fileMode: 0o666, uid: 0, gid: 0 } as const;
  const rule = { allow: true, type: 'c', major: 10, minor: 5, access: 'rw' } as const;
  const devices = {
    nodes: [node],
    rules: [rule],
    env: ['GPU=0', 'A=device'],
    mounts: [{ destination: '/lib/gpu', source: '/h/gpu', type: 'bind', options: ['rbind', 'ro'] }],
    hooks: { createContainer: [], startContainer: [] },
    additionalGids: [44, 10],
  };
  const made = spec({ environment: { A: 'service' } }, { Env: ['GPU=image'] }, { devices });
  expect(made.linux!.devices).toEqual([node]);
  expect(made.linux!.resources!.devices!.at(-1)).toEqual(rule);
  expect(made.process!.env).toEqual(expect.arrayContaining(['GPU=0', 'A=service']));
  expect(made.process!.user!.additionalGids).toEqual([0, 10, 44]);
  expect(made.mounts!.find(({ destination }) => destination === '/lib/gpu')).toEqual(devices.mounts[0]);
  expect(runtimeSpec.parse(made)).toEqual(made);
});

test('namespaces of others: no name of its own in the host’s UTS, whose /dev/shm it is', () => {
  const shm = (config: Partial<Service>, rest: Partial<SpecRequest> = {}) =>
    spec(config, {}, rest).mounts!.find(({ destination }) => destination === '/dev/shm');
  const uts = spec({ domainname: 'd' }, {}, { namespaces: { uts: 'host' } });
  expect([uts.hostname, uts.domainname]).toEqual([undefined, undefined]);
  expect(shm({})).toMatchObject({ type: 'tmpfs' });
  expect(shm({ ipc: 'none' })).toBeUndefined();
  expect(shm({}, { namespaces: { ipc: 'host' } })).toMatchObject({ type: 'bind', source: '/dev/shm' });
  expect(shm({}, { peerShm: '/run/c/shm' })).toMatchObject({ type: 'bind', source: '/run/c/shm' });
  expect(() => spec({ sysctls: { 'kernel.msgmax': '1' } }, {}, { namespaces: { ipc: 'host' } })).toThrow(
    /no IPC namespace of its own/,
  );
});

test('privileged: no filter, nothing hidden, /sys and cgroups writable, every device', () => {
  const all = spec({ privileged: true });
  expect(all.linux).toMatchObject({ maskedPaths: [], readonlyPaths: [], resources: { devices: [{ allow: true }] } });
  expect(all.linux!.seccomp).toBeUndefined();
  const options = (destination: string) => all.mounts!.find((one) => one.destination === destination)!.options;
  expect(options('/sys')).not.toContain('ro');
  expect(options('/sys/fs/cgroup')).not.toContain('ro');
});

test('mounts of the stack take the place of ours, and come parents first', () => {
  const { mounts } = spec(
    { read_only: true, shm_size: '128m' },
    {},
    {
      mounts: [
        { type: 'bind', source: '/h/x', target: '/etc/hosts', readOnly: true },
        { type: 'volume', name: 'v', source: '/v', target: '/data', readOnly: false, isAnonymous: false },
        { type: 'tmpfs', target: '/run', readOnly: false, size: 65536, mode: 0o1777, options: ['exec', 'uid=7'] },
      ],
    },
  );
  const find = (destination: string) => mounts!.find((one) => one.destination === destination)!;
  expect(mounts!.filter((one) => one.destination === '/etc/hosts')).toHaveLength(1);
  expect(find('/etc/hosts')).toEqual({
    destination: '/etc/hosts',
    type: 'bind',
    source: '/h/x',
    options: ['rbind', 'rro', 'rprivate'],
  });
  expect(find('/etc/resolv.conf').options).toEqual(['rbind', 'ro', 'rprivate']);
  expect(find('/data').options).toEqual(['rbind', 'rprivate']);
  expect(find('/run').options).toEqual(['nosuid', 'nodev', 'exec', 'uid=7', 'size=65536', 'mode=1777']);
  expect(find('/dev/shm').options).toContain('size=134217728');
});

test('a /dev of the stack’s own stands alone', () => {
  const own = spec({}, {}, { mounts: [{ type: 'bind', source: '/dev', target: '/dev', readOnly: false }] });
  expect(own.mounts!.map((one) => one.destination).filter((path) => path.startsWith('/dev'))).toEqual(['/dev']);
});

test('propagation of a bind shows in the root’s', () => {
  const bind = (propagation: string) =>
    spec({}, {}, { mounts: [{ type: 'bind', source: '/a', target: '/a', readOnly: false, propagation }] });
  expect(bind('rshared').linux!.rootfsPropagation).toBe('shared');
  expect(bind('rslave').linux!.rootfsPropagation).toBe('slave');
  expect(bind('private').linux!.rootfsPropagation).toBeUndefined();
  expect(bind('rshared').mounts!.find((one) => one.destination === '/a')!.options).toEqual(['rbind', 'rshared']);
});

const GiB = 2 ** 30;
test.each([
  [{}, { devices: expect.any(Array) }],
  [{ mem_limit: '1073741824' }, { memory: { limit: GiB, swap: 2 * GiB } }],
  [{ mem_limit: '1g', memswap_limit: '-1' }, { memory: { limit: GiB, swap: -1 } }],
  [
    { mem_limit: '1g', memswap_limit: '1g', mem_reservation: '512m' },
    { memory: { limit: GiB, swap: GiB, reservation: GiB / 2 } },
  ],
  [
    { mem_limit: '1g', deploy: { resources: { limits: { memory: '2g', cpus: 0.5, pids: 7 } } } },
    { memory: { limit: 2 * GiB }, cpu: { quota: 50_000, period: 100_000 }, pids: { limit: 7 } },
  ],
  [{ deploy: { resources: { reservations: { memory: '64m' } } } }, { memory: { reservation: 64 * 2 ** 20 } }],
  [{ cpus: 1.25, cpuset: '0-1', cpu_shares: '512' }, { cpu: { quota: 125_000, cpus: '0-1', shares: 512 } }],
  [{ pids_limit: 100 }, { pids: { limit: 100 } }],
  [{ cpu_period: 20_000, cpu_quota: 5000 }, { cpu: { period: 20_000, quota: 5000 } }],
  [{ cpu_quota: -1 }, { cpu: { quota: -1 } }],
  [{ cpu_rt_period: 1000, cpu_rt_runtime: 900 }, { cpu: { realtimePeriod: 1000, realtimeRuntime: 900 } }],
  [{ mem_swappiness: '60' }, { memory: { swappiness: 60 } }],
  [{ mem_limit: '1g', oom_kill_disable: true }, { memory: { limit: GiB, disableOOMKiller: true } }],
  [
    { device_cgroup_rules: ['a *:* r'] },
    { devices: expect.arrayContaining([{ allow: true, type: 'a', access: 'r' }]) },
  ],
  [
    { device_cgroup_rules: ['b 8:* rwm'] },
    { devices: expect.arrayContaining([{ allow: true, type: 'b', major: 8, access: 'rwm' }]) },
  ],
  [
    {
      blkio_config: {
        weight: 300,
        weight_device: [{ path: '/dev/x', weight: 400 }],
        device_read_bps: [{ path: '/dev/x', rate: '1024' }],
        device_write_iops: [{ path: '/dev/x', rate: 5 }],
      },
    },
    {
      blockIO: {
        weight: 300,
        weightDevice: [{ major: 0, minor: 0, weight: 400 }],
        throttleReadBpsDevice: [{ major: 0, minor: 0, rate: 1024 }],
        throttleWriteIOPSDevice: [{ major: 0, minor: 0, rate: 5 }],
      },
    },
  ],
  [{ pids_limit: -1 }, { pids: { limit: -1 } }],
] as [Partial<Service>, object][])('resources of %j', (config, expected) => {
  expect(spec(config).linux!.resources).toMatchObject(expected);
});

test.each([
  [{ mem_limit: '1g', memswap_limit: '512m' }, /memswap_limit: 536870912 is less than the memory limit/],
  [{ mem_limit: '1x' }, /mem_limit: "1x" is not a size/],
  [{ cpus: 0.001 }, /cpus: 0.001 is less than/],
  [{ cpus: 1, cpu_quota: 5000 }, /cpus: it says the same as cpu_quota/],
  [{ cpu_quota: 10 }, /cpu_quota: 10 is less than/],
  [{ cpu_period: 10 }, /cpu_period: 10 is no period/],
  [{ cpu_rt_period: 1000, cpu_rt_runtime: 1001 }, /cpu_rt_runtime: 1001 is more than the period/],
  [{ blkio_config: { weight: 5 } }, /blkio_config\.weight: 5 is no weight/],
  [{ device_cgroup_rules: ['c 1:3'] }, /device_cgroup_rules: "c 1:3" is not a rule/],
  [{ device_cgroup_rules: ['x 1:3 r'] }, /is not a rule/],
  [{ ulimits: { files: 5 } }, /ulimits\.files: "files" is not a resource limit/],
  [{ ulimits: { nofile: { soft: 10, hard: 5 } } }, /the soft limit 10 is above the hard limit 5/],
  [{ sysctls: { 'kernel.panic': '1' } }, /the kernel has this setting once for the whole machine/],
] as [Partial<Service>, RegExp][])('refused: %j', (config, message) => {
  expect(() => spec(config)).toThrow(message);
});

test('ulimits: one number stands for both, -1 for no limit', () => {
  expect(spec({ ulimits: { nofile: { soft: 1024, hard: -1 }, core: 0 } }).process!.rlimits).toEqual([
    { type: 'RLIMIT_NOFILE', soft: 1024, hard: 0xffff_ffff_ffff_ffffn },
    { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
  ]);
});

test('sysctls: docker’s two in a network of its own, none in another’s', () => {
  const defaults = { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' };
  expect(spec().linux!.sysctl).toEqual(defaults);
  expect(spec({ sysctls: { 'net.core.somaxconn': '1024', 'kernel.shmmax': '1' } }).linux!.sysctl).toEqual({
    ...defaults,
    'net.core.somaxconn': '1024',
    'kernel.shmmax': '1',
  });
  const shared = { namespaces: { network: { path: '/proc/7/ns/net' } } };
  expect(spec({}, {}, shared).linux!.sysctl).toEqual({});
  expect(spec({}, {}, shared).linux!.namespaces).toContainEqual({ type: 'network', path: '/proc/7/ns/net' });
  expect(() => spec({ sysctls: { 'net.core.somaxconn': '1' } }, {}, { namespaces: { network: 'host' } })).toThrow(
    /no network namespace of its own/,
  );
});

test('the host’s namespaces are left out', () => {
  const types = spec({}, {}, { namespaces: { network: 'host', pid: 'host' } }).linux!.namespaces!.map(
    (one) => one.type,
  );
  expect(types).toEqual(['mount', 'uts', 'ipc', 'cgroup']);
});

test('annotations are the image’s, then the service’s', () => {
  const image: Image = { Labels: { a: 'image', b: 'image' }, StopSignal: 'SIGINT' };
  expect(spec({ annotations: { a: 'service' } }, image).annotations).toEqual({
    'org.opencontainers.image.os': 'linux',
    'org.opencontainers.image.architecture': 'amd64',
    'org.opencontainers.image.stopSignal': 'SIGINT',
    a: 'service',
    b: 'image',
  });
});

// Forms in which docker compose, docker and buildah write that a field is not set.
test.each<[string, Image]>([
  ['nothing', {}],
  ['null', { Env: null, Entrypoint: null, Labels: null, ExposedPorts: null, Volumes: null, Shell: null }],
  [
    'empty',
    { User: '', Env: [], Entrypoint: [], Labels: {}, ExposedPorts: {}, Volumes: {}, WorkingDir: '', StopSignal: '' },
  ],
  [
    'docker’s own fields',
    { ArgsEscaped: true, OnBuild: null, Domainname: '', Tty: false, AttachStdin: false, Image: 'x' },
  ],
])('an image that says %s gives the same config.json', (_, image) => {
  expect(spec({}, image)).toEqual(spec());
});
