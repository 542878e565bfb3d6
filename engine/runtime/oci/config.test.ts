import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import { writeSpec } from '../spec-json.ts';
import { bundle, changed, refusal, sound } from './config.fixture.ts';
import { checkConfig, loadConfig, loadProcess, loadResources, requireProcess } from './config.ts';

const check = (spec: object) => checkConfig(writeSpec(spec as RuntimeSpec), bundle);
const refused = (...changes: Parameters<typeof changed>) => refusal(() => check(changed(...changes)));
const long = 'x'.repeat(200);
const namespaces = (...types: string[]) => types.map((type) => ({ type }));
const without = (type: string) => sound.linux.namespaces.filter((one) => one.type !== type);

test('a sound document with every property passes unchanged, 64-bit integers exact, without a warning', () => {
  expect(check(sound)).toEqual({ spec: sound, warnings: [] });
});

test('the file is read from the bundle', () => {
  writeFileSync(join(bundle, 'config.json'), writeSpec(sound as RuntimeSpec));
  expect(loadConfig(bundle).spec).toEqual(sound);
  writeFileSync(join(bundle, 'config.json'), Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]));
  expect(refusal(() => loadConfig(bundle)).message).toMatch(/config\.json is not UTF-8/);
  rmSync(join(bundle, 'config.json'));
  expect(refusal(() => loadConfig(bundle)).code).toBe('config.not-found');
  execFileSync('mkfifo', [join(bundle, 'config.json')]);
  expect(refusal(() => loadConfig(bundle)).message).toMatch(/not a regular file/);
  rmSync(join(bundle, 'config.json'));
});

test('unknown properties pass, whatever is in them', () => {
  const spec = { ...sound, future: { deep: [null, 'a\0b'] }, linux: { ...sound.linux, other: 1 } };
  expect(check(spec).spec).toEqual(spec);
});

test('null is absence', () => {
  const { spec } = check(changed(['process.env', null], ['hooks', null], ['linux.seccomp.syscalls[0].args', null]));
  expect(spec.process).not.toHaveProperty('env');
  expect(spec).not.toHaveProperty('hooks');
  expect(spec.linux!.seccomp!.syscalls![0]).not.toHaveProperty('args');
  expect(refused(['ociVersion', null]).message).toMatch(/ociVersion is missing/);
});

test('all problems of a document come at once, each with its property', () => {
  const error = refused(
    ['process.cwd', 'x'],
    ['mounts[1].options', 'ro'],
    ['linux.namespaces[2].type', 'net'],
    ['linux.sysctl', { 'kernel.core_pattern': '|/x' }],
    ['process.rlimits[0].soft', -1],
  );
  expect(error.code).toBe('config.value');
  expect(error.message.split('\n').slice(1)).toEqual([
    '  process.cwd must be an absolute path: "x"',
    '  process.rlimits[0].soft must be an integer from 0 to 18446744073709551615: -1',
    '  mounts[1].options must be a list',
    expect.stringMatching(/^ {2}linux\.namespaces\[2\]\.type must be one of mount, pid/),
  ]);
});

test('of very many problems the first are told', () => {
  const error = refused(['linux.maskedPaths', Array.from({ length: 500 }, () => 'x')]);
  expect(error.message).toMatch(/has 500 problems/);
  expect(error.message).toMatch(/and 460 more$/);
});

test('wrong types alone have the code of their own', () => {
  expect(refused(['process', []]).code).toBe('config.type');
  expect(refusal(() => checkConfig('[]', bundle)).message).toMatch(/the document must be an object/);
  expect(refusal(() => checkConfig('{', bundle)).message).toMatch(/not valid JSON/);
});

/** Everything that must be refused: what is changed, and what the message says. */
const refusals: [title: string, changes: Parameters<typeof changed>, message: RegExp][] = [
  ['ociVersion missing', [['ociVersion', undefined]], /ociVersion is missing/],
  ['ociVersion no semantic version', [['ociVersion', '1.0']], /ociVersion must be a semantic version/],
  ['ociVersion with a leading zero', [['ociVersion', '1.02.0']], /ociVersion must be a semantic version/],
  ['ociVersion of another major', [['ociVersion', '2.0.0']], /ociVersion is 2\.0\.0; Stack knows/],
  ['annotation without a name', [['annotations', { '': 'x' }]], /annotations has an empty name/],
  ['annotation that is no string', [['annotations', { a: 1 }]], /annotations\.a must be a string/],
  ['root missing', [['root', undefined]], /root is missing/],
  ['root.path missing', [['root.path', undefined]], /root\.path is missing/],
  ['root.path empty', [['root.path', '']], /root\.path is missing/],
  ['root.path not there', [['root.path', 'nowhere']], /root\.path does not exist: ".*nowhere"/],
  ['root.path no directory', [['root.path', 'file']], /root\.path is not a directory/],
  ['root.path below a file', [['root.path', 'file/x']], /root\.path cannot be reached \(ENOTDIR\)/],
  ['root.path longer than any', [['root.path', 'x'.repeat(5000)]], /root\.path cannot be reached/],
  ['cwd relative', [['process.cwd', 'tmp']], /process\.cwd must be an absolute path/],
  ['cwd missing', [['process.cwd', undefined]], /process\.cwd is missing/],
  ['no args', [['process.args', undefined]], /process\.args must name the program/],
  ['empty args', [['process.args', []]], /process\.args must name the program/],
  ['console beyond 16 bits', [['process.consoleSize.width', 70000]], /consoleSize must not exceed 65535/],
  ['console without height', [['process.consoleSize', { width: 1 }]], /consoleSize\.height is missing/],
  ['uid -1', [['process.user.uid', 0xffffffff]], /user\.uid must not be 4294967295/],
  ['gid -1', [['process.user.gid', 0xffffffff]], /user\.gid must not be 4294967295/],
  ['additional gid -1', [['process.user.additionalGids', [1, 0xffffffff]]], /additionalGids\[1\] must not be/],
  ['uid beyond 32 bits', [['process.user.uid', 2 ** 32]], /user\.uid must be an integer from 0 to 4294967295/],
  ['umask beyond 0777', [['process.user.umask', 0o1000]], /umask must not exceed 511/],
  ['rlimit unknown', [['process.rlimits[0].type', 'RLIMIT_FOO']], /rlimits\[0\]\.type is not a limit Linux has/],
  ['rlimit twice', [['process.rlimits[1]', { type: 'RLIMIT_NOFILE', soft: 1, hard: 1 }]], /repeats RLIMIT_NOFILE/],
  ['rlimit soft above hard', [['process.rlimits[0]', { type: 'RLIMIT_CPU', soft: 2, hard: 1 }]], /exceeds the hard/],
  ['rlimit without hard', [['process.rlimits[0]', { type: 'RLIMIT_CPU', soft: 2 }]], /rlimits\[0\]\.hard is missing/],
  ['oom score', [['process.oomScoreAdj', 1001]], /oomScoreAdj must be from -1000 to 1000/],
  ['scheduler without policy', [['process.scheduler.policy', undefined]], /scheduler\.policy is missing/],
  ['scheduler policy unknown', [['process.scheduler.policy', 'SCHED_X']], /policy must be one of SCHED_OTHER/],
  ['SCHED_ISO', [['process.scheduler', { policy: 'SCHED_ISO' }]], /SCHED_ISO is reserved/],
  ['nice out of range', [['process.scheduler', { policy: 'SCHED_OTHER', nice: 20 }]], /nice must be from -20 to 19/],
  ['nice for real time', [['process.scheduler', { policy: 'SCHED_RR', nice: 1, priority: 1 }]], /nice means nothing/],
  ['priority of a fair policy', [['process.scheduler', { policy: 'SCHED_BATCH', priority: 1 }]], /priority means noth/],
  ['real time without priority', [['process.scheduler', { policy: 'SCHED_FIFO' }]], /priority must be from 1 to 99/],
  ['deadline of another policy', [['process.scheduler', { policy: 'SCHED_IDLE', deadline: 1 }]], /deadline means noth/],
  ['runtime beyond the deadline', [['process.scheduler.runtime', 20001]], /needs 1024 <= runtime <= deadline/],
  ['deadline beyond the period', [['process.scheduler.deadline', 30001]], /needs 1024 <= runtime <= deadline/],
  ['scheduler flag unknown', [['process.scheduler.flags', ['X']]], /scheduler\.flags\[0\] must be one of/],
  ['io class unknown', [['process.ioPriority.class', 'X']], /ioPriority\.class must be one of/],
  ['io priority', [['process.ioPriority.priority', 8]], /ioPriority\.priority must be from 0 to 7/],
  ['affinity backwards', [['process.execCPUAffinity.initial', '3-1']], /initial has a range that runs backwards/],
  ['affinity with a hole', [['process.execCPUAffinity.final', '1,,2']], /final must be a list of numbers/],
  ['affinity beyond any CPU', [['process.execCPUAffinity.final', '0-99999']], /final names number 99999/],
  ['mount without destination', [['mounts[0].destination', undefined]], /mounts\[0\]\.destination is missing/],
  ['mount destination empty', [['mounts[0].destination', '']], /mounts\[0\]\.destination must not be empty/],
  ['bind without source', [['mounts[1].source', undefined]], /mounts\[1\]\.source is missing/],
  ['mount with uidMappings alone', [['mounts[1].gidMappings', undefined]], /mounts\[1\] has uidMappings alone/],
  ['mount with gidMappings alone', [['mounts[1].uidMappings', []]], /mounts\[1\] has gidMappings alone/],
  [
    'idmap of nothing',
    [
      ['mounts[1]', { destination: '/x', source: '/x', options: ['bind', 'idmap'] }],
      ['linux.namespaces', without('user')],
      ['linux.uidMappings', []],
      ['linux.gidMappings', []],
    ],
    /mounts\[1\]\.options has idmap, but neither/,
  ],
  [
    'mount mapping of no size',
    [['mounts[1].uidMappings[0].size', 0]],
    /uidMappings\[0\]\.size must be greater than zero/,
  ],
  ['masked path relative', [['linux.maskedPaths', ['proc']]], /maskedPaths\[0\] must be an absolute path/],
  ['read-only path relative', [['linux.readonlyPaths', ['proc']]], /readonlyPaths\[0\] must be an absolute path/],
  ['hook path relative', [['hooks.prestart[0].path', 'x']], /hooks\.prestart\[0\]\.path must be an absolute path/],
  ['hook timeout zero', [['hooks.poststop[0].timeout', 0]], /hooks\.poststop\[0\]\.timeout must be an integer from 1/],
  ['hook without path', [['hooks.createRuntime', [{}]]], /createRuntime\[0\]\.path is missing/],
  ['namespace type unknown', [['linux.namespaces[0].type', 'net']], /namespaces\[0\]\.type must be one of mount/],
  ['namespace path relative', [['linux.namespaces[0].path', 'x']], /namespaces\[0\]\.path must be an absolute path/],
  ['namespace twice', [['linux.namespaces[8]', { type: 'pid' }]], /namespaces\[8\]\.type repeats pid/],
  ['hostname without uts', [['linux.namespaces', without('uts')]], /hostname needs a uts namespace/],
  [
    'domainname without uts',
    [
      ['hostname', undefined],
      ['linux.namespaces', without('uts')],
    ],
    /domainname needs a uts/,
  ],
  ['hostname too long', [['hostname', long]], /hostname must not exceed 64 bytes/],
  [
    'uidMappings without user namespace',
    [['linux.namespaces', without('user')]],
    /linux\.uidMappings needs a user name/,
  ],
  [
    'gidMappings without user namespace',
    [['linux.namespaces', without('user')]],
    /linux\.gidMappings needs a user name/,
  ],
  ['user namespace without uidMappings', [['linux.uidMappings', undefined]], /uidMappings is missing: a new user/],
  ['user namespace without gidMappings', [['linux.gidMappings', []]], /gidMappings is missing: a new user/],
  [
    'overlapping mappings',
    [['linux.uidMappings[1]', { containerID: 1, hostID: 1, size: 1 }]],
    /\[1\]\.containerID overlaps entry 0/,
  ],
  ['mapping beyond all ids', [['linux.uidMappings[0].size', 0xffffffff]], /hostID runs beyond the largest id/],
  [
    'too many mappings',
    [['linux.uidMappings', Array.from({ length: 341 }, (_, at) => ({ containerID: at, hostID: at, size: 1 }))]],
    /has 341 entries, the kernel takes 340/,
  ],
  [
    'time offsets without a time namespace',
    [['linux.namespaces', without('time')]],
    /timeOffsets needs a new time name/,
  ],
  ['time offsets in a joined one', [['linux.namespaces[7].path', '/proc/1/ns/time']], /timeOffsets needs a new time/],
  [
    'nanoseconds of a second',
    [['linux.timeOffsets.boottime.nanosecs', 1e9]],
    /boottime\.nanosecs must be below 1000000000/,
  ],
  [
    'sysctl of the machine',
    [['linux.sysctl', { 'kernel.core_pattern': 'x' }]],
    /core_pattern"\] belongs to the whole machine/,
  ],
  ['sysctl of vm', [['linux.sysctl', { 'vm.overcommit_memory': '1' }]], /belongs to the whole machine/],
  ['net sysctl without net namespace', [['linux.namespaces', without('network')]], /somaxconn"\] needs a new network/],
  [
    'net sysctl in the caller’s own',
    [['linux.namespaces[2].path', '/proc/self/ns/net']],
    /somaxconn"\] needs a new net/,
  ],
  ['ipc sysctl without ipc namespace', [['linux.namespaces', without('ipc')]], /kernel\/msgmax"\] needs a new ipc/],
  ['mqueue sysctl without ipc namespace', [['linux.namespaces', without('ipc')]], /msg_max"\] needs a new ipc/],
  [
    'uts sysctl without uts namespace',
    [
      ['hostname', ''],
      ['domainname', ''],
      ['linux.namespaces', without('uts')],
      ['linux.sysctl', { 'kernel.domainname': 'x' }],
    ],
    /kernel\.domainname"\] needs a new uts/,
  ],
  ['sysctl against domainname', [['linux.sysctl', { 'kernel.domainname': 'other' }]], /contradicts domainname/],
  ['sysctl against hostname', [['linux.sysctl', { 'kernel/hostname': 'other' }]], /contradicts hostname/],
  [
    'sysctl out of /proc/sys',
    [['linux.sysctl', { 'net/../kernel/core_pattern': 'x' }]],
    /is not the name of a kernel param/,
  ],
  [
    'sysctl out of /proc/sys with dots',
    [['linux.sysctl', { 'net.//.kernel.core_pattern': 'x' }]],
    /is not the name of a k/,
  ],
  ['device type unknown', [['linux.devices[0].type', 'x']], /devices\[0\]\.type must be one of b, c, u, p/],
  ['device path relative', [['linux.devices[0].path', 'dev/x']], /devices\[0\]\.path must be an absolute path/],
  ['device without major', [['linux.devices[0].major', undefined]], /devices\[0\]\.major is missing/],
  ['device without minor', [['linux.devices[0].minor', undefined]], /devices\[0\]\.minor is missing/],
  ['device number too large', [['linux.devices[0].major', 4096]], /devices\[0\]\.major must be from 0 to 4095/],
  ['device uid -1', [['linux.devices[0].uid', 0xffffffff]], /devices\[0\]\.uid must not be 4294967295/],
  [
    'netDevices without net namespace',
    [['linux.namespaces', without('network')]],
    /netDevices needs a network namespace/,
  ],
  [
    'netDevices into the caller’s own',
    [['linux.namespaces[2].path', '/proc/self/ns/net']],
    /netDevices needs a network/,
  ],
  ['netDevice of a strange name', [['linux.netDevices', { 'a/b': {} }]], /netDevices\["a\/b"\] is not the name/],
  ['netDevice to a long name', [['linux.netDevices.eth5.name', long]], /eth5\.name is not a name for a network device/],
  ['netDevice to two numbers', [['linux.netDevices.eth5.name', 'e%d%d']], /eth5\.name is not a name/],
  ['netDevices to one name', [['linux.netDevices', { eth0: {}, eth5: { name: 'eth0' } }]], /eth5\.name repeats "eth0"/],
  ['cgroupsPath upwards', [['linux.cgroupsPath', '/a/../..']], /cgroupsPath must not contain "\.\."/],
  ['memory below -1', [['linux.resources.memory.limit', -2]], /memory\.limit must be bytes, or -1/],
  ['swap below memory', [['linux.resources.memory.swap', 5]], /memory\.swap counts memory and swap together/],
  ['swappiness', [['linux.resources.memory.swappiness', 101]], /swappiness must be from 0 to 100/],
  ['memory beyond 64 bits', [['linux.resources.memory.limit', 2n ** 63n]], /memory\.limit must be an integer from/],
  ['negative shares', [['linux.resources.cpu.shares', -1]], /cpu\.shares must not be negative/],
  ['burst beyond quota', [['linux.resources.cpu.burst', 1001]], /cpu\.burst must not exceed quota/],
  ['idle of 2', [['linux.resources.cpu.idle', 2]], /cpu\.idle must be 0 or 1/],
  ['cpus no list', [['linux.resources.cpu.cpus', 'all']], /cpu\.cpus must be a list of numbers/],
  ['mems no list', [['linux.resources.cpu.mems', '1-0']], /cpu\.mems has a range that runs backwards/],
  ['pids below -1', [['linux.resources.pids.limit', -2]], /pids\.limit must be a number of tasks/],
  ['weight', [['linux.resources.blockIO.weight', 9]], /blockIO\.weight must be from 10 to 1000/],
  ['leaf weight', [['linux.resources.blockIO.leafWeight', 1001]], /blockIO\.leafWeight must be from 10 to 1000/],
  [
    'device weight of nothing',
    [['linux.resources.blockIO.weightDevice', [{ major: 8, minor: 0 }]]],
    /weightDevice\[0\] needs weight or leafW/,
  ],
  [
    'throttle without rate',
    [['linux.resources.blockIO.throttleWriteIOPSDevice[0].rate', undefined]],
    /throttleWriteIOPSDevice\[0\]\.rate is missing/,
  ],
  ['page size', [['linux.resources.hugepageLimits[0].pageSize', '2M']], /pageSize must be a page size such as 2MB/],
  ['rdma of nothing', [['linux.resources.rdma', { x: {} }]], /rdma\.x needs hcaHandles or hcaObjects/],
  [
    'unified into another directory',
    [['linux.resources.unified', { '../cgroup.procs': '1' }]],
    /unified has "\.\.\/cgroup\.procs"/,
  ],
  ['device rule without allow', [['linux.resources.devices[0].allow', undefined]], /devices\[0\]\.allow is missing/],
  ['device rule access', [['linux.resources.devices[0].access', 'x']], /devices\[0\]\.access must be some of rwm/],
  ['closID of two directories', [['linux.intelRdt.closID', 'a/b']], /closID must be "\/" or the name/],
  ['closID upwards', [['linux.intelRdt.closID', '..']], /closID must be "\/" or the name/],
  ['schemata of two lines', [['linux.intelRdt.schemata', ['a\nb']]], /schemata\[0\] must be one line/],
  ['l3CacheSchema of two lines', [['linux.intelRdt.l3CacheSchema', 'L3:\n']], /l3CacheSchema must be one line/],
  [
    'memBwSchema of another name',
    [['linux.intelRdt.memBwSchema', 'X']],
    /memBwSchema must be one line that starts with MB:/,
  ],
  ['memoryPolicy without mode', [['linux.memoryPolicy', {}]], /memoryPolicy\.mode is missing/],
  [
    'memoryPolicy with nodes it cannot take',
    [['linux.memoryPolicy', { mode: 'MPOL_LOCAL', nodes: '0' }]],
    /nodes must not be set for MPOL_LOCAL/,
  ],
  [
    'memoryPolicy without nodes it needs',
    [['linux.memoryPolicy', { mode: 'MPOL_BIND' }]],
    /nodes is missing: MPOL_BIND/,
  ],
  ['memoryPolicy nodes no list', [['linux.memoryPolicy.nodes', 'x']], /memoryPolicy\.nodes must be a list/],
  [
    'memoryPolicy with both flags',
    [['linux.memoryPolicy.flags', ['MPOL_F_STATIC_NODES', 'MPOL_F_RELATIVE_NODES']]],
    /must not have both/,
  ],
  [
    'memoryPolicy flag without nodes',
    [['linux.memoryPolicy', { mode: 'MPOL_PREFERRED', flags: ['MPOL_F_STATIC_NODES'] }]],
    /MPOL_F_STATIC_NODES needs nodes/,
  ],
  [
    'balancing of another mode',
    [['linux.memoryPolicy', { mode: 'MPOL_INTERLEAVE', nodes: '0', flags: ['MPOL_F_NUMA_BALANCING'] }]],
    /MPOL_F_NUMA_BALANCING needs MPOL_BIND/,
  ],
  ['personality domain', [['linux.personality.domain', 'X']], /personality\.domain must be one of LINUX, LINUX32/],
  ['personality flag', [['linux.personality.flags', ['X']]], /personality\.flags must be empty/],
  ['rootfsPropagation', [['linux.rootfsPropagation', 'public']], /rootfsPropagation must be one of private/],
  ['seccomp without default', [['linux.seccomp.defaultAction', undefined]], /seccomp\.defaultAction is missing/],
  [
    'seccomp action unknown',
    [['linux.seccomp.syscalls[0].action', 'X']],
    /syscalls\[0\]\.action must be one of SCMP_ACT/,
  ],
  [
    'seccomp operator unknown',
    [['linux.seccomp.syscalls[0].args[0].op', 'X']],
    /args\[0\]\.op must be one of SCMP_CMP/,
  ],
  [
    'seccomp architecture unknown',
    [['linux.seccomp.architectures', ['SCMP_ARCH_VAX']]],
    /architectures\[0\] is not an architecture/,
  ],
  ['seccomp flag unknown', [['linux.seccomp.flags', ['X']]], /flags\[0\] must be one of SECCOMP_FILTER_FLAG/],
  [
    'seccomp seventh argument',
    [['linux.seccomp.syscalls[0].args[0].index', 6]],
    /index must be an integer from 0 to 5/,
  ],
  ['seccomp without names', [['linux.seccomp.syscalls[0].names', []]], /syscalls\[0\]\.names must not be empty/],
  [
    'seccomp NOTIFY by default',
    [
      ['linux.seccomp.defaultAction', 'SCMP_ACT_NOTIFY'],
      ['linux.seccomp.defaultErrnoRet', undefined],
    ],
    /defaultAction must not be SCMP_ACT_NOTIFY/,
  ],
  [
    'seccomp NOTIFY of write',
    [['linux.seccomp.syscalls[1].names', ['read', 'write']]],
    /syscalls\[1\] must not notify of write/,
  ],
  [
    'seccomp NOTIFY of sendmsg',
    [['linux.seccomp.syscalls[1].names', ['sendmsg']]],
    /syscalls\[1\] must not notify of sendmsg/,
  ],
  [
    'seccomp NOTIFY without a listener',
    [['linux.seccomp.listenerPath', undefined]],
    /listenerPath is missing: SCMP_ACT_NOTIFY/,
  ],
  [
    'seccomp metadata without a listener',
    [['linux.seccomp.listenerPath', undefined]],
    /listenerMetadata must not be set without/,
  ],
  [
    'seccomp listener path too long',
    [['linux.seccomp.listenerPath', `/${long}`]],
    /listenerPath must not exceed 107 bytes/,
  ],
  [
    'seccomp errno of ALLOW',
    [['linux.seccomp.syscalls[0].action', 'SCMP_ACT_ALLOW']],
    /errnoRet must not be set: SCMP_ACT_ALLOW/,
  ],
  [
    'seccomp errno of a killing default',
    [['linux.seccomp.defaultAction', 'SCMP_ACT_KILL']],
    /defaultErrnoRet must not be set/,
  ],
  ['seccomp errno no errno', [['linux.seccomp.defaultErrnoRet', 4096]], /defaultErrnoRet must not exceed 4095/],
  ['NUL in an argument', [['process.args[1]', 'a\0b']], /process\.args\[1\] contains a NUL/],
  ['NUL in a variable', [['process.env', ['A=\0']]], /process\.env\[0\] contains a NUL/],
  ['NUL in cwd', [['process.cwd', '/\0']], /process\.cwd contains a NUL/],
  ['NUL in root.path', [['root.path', 'root\0fs']], /root\.path contains a NUL/],
  ['NUL in a mount', [['mounts[1].source', '/srv\0']], /mounts\[1\]\.source contains a NUL/],
  ['NUL in a key', [['linux.sysctl', { 'net.x\0': '1' }]], /linux\.sysctl has a name that contains a NUL/],
  ['NUL in an annotation', [['annotations', { a: '\0' }]], /annotations\.a contains a NUL/],
  ['half a surrogate pair', [['hostname', '\ud800']], /hostname contains half a surrogate pair/],
];

test.each(refusals)('refused: %s', (_, changes, message) => {
  expect(refused(...changes).message).toMatch(message);
});

test('no two refusals have one title', () => {
  expect(new Set(refusals.map(([title]) => title)).size).toBe(refusals.length);
});

test.each(['1.0.0', '1.0.0-rc5', '1.0.2-dev', '1.1.0', '1.2.1', '1.3.0', '1.3.1+dev.2'])(
  'ociVersion %s passes',
  (version) => {
    expect(check(changed(['ociVersion', version])).warnings).toEqual([]);
  },
);

/** What is taken with a warning. */
test.each([
  ['a newer minor version', [['ociVersion', '1.4.0']], /^ociVersion: is 1\.4\.0, newer than 1\.3\.0/],
  ['a variable without a value', [['process.env', ['PATH']]], /^process\.env\[0\]: is not NAME=VALUE/],
  [
    'WAIT_KILLABLE_RECV without NOTIFY',
    [
      ['linux.seccomp.syscalls', []],
      ['linux.seccomp.flags', ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']],
    ],
    /^linux\.seccomp\.flags: .* means nothing/,
  ],
  [
    'an L3 schema of another name',
    [['linux.intelRdt.l3CacheSchema', 'X']],
    /^linux\.intelRdt\.l3CacheSchema: does not start with L3/,
  ],
] as [string, Parameters<typeof changed>, RegExp][])('warned of: %s', (_, changes, warning) => {
  expect(check(changed(...changes)).warnings).toEqual([expect.stringMatching(warning)]);
});

test('a relative mount destination counts from / and is warned of', () => {
  const { spec, warnings } = check(changed(['mounts[0].destination', 'proc']));
  expect(spec.mounts![0]!.destination).toBe('/proc');
  expect(warnings).toEqual([expect.stringMatching(/^mounts\[0\]\.destination: is relative/)]);
});

test('capabilities that cannot be given are left out and warned of', () => {
  const { spec, warnings } = check(
    changed([
      'process.capabilities',
      { bounding: ['CAP_KILL', 'CAP_FOO'], permitted: ['CAP_KILL'], effective: ['CAP_CHOWN'], ambient: ['CAP_KILL'] },
    ]),
  );
  expect(spec.process!.capabilities).toEqual({
    bounding: ['CAP_KILL'],
    permitted: ['CAP_KILL'],
    effective: [],
    ambient: [],
  });
  expect(warnings).toEqual([
    'process.capabilities.bounding: "CAP_FOO" not given: no capability of that name',
    'process.capabilities.effective: "CAP_CHOWN" not given: not among the permitted ones',
    'process.capabilities.ambient: "CAP_KILL" not given: not both permitted and inheritable',
  ]);
});

test('what is right in other ways passes', () => {
  const fine: Parameters<typeof changed>[] = [
    [['linux.devices', [{ type: 'p', path: '/dev/fifo' }]]],
    [
      ['linux.namespaces', [...without('user'), { type: 'user', path: '/proc/1/ns/user' }]],
      ['linux.uidMappings', undefined],
      ['linux.gidMappings', undefined],
    ],
    [['linux.namespaces[2].path', '']],
    [['linux.rootfsPropagation', 'rslave']],
    [['linux.netDevices', { eth5: { name: 'eth%d' }, eth6: { name: 'eth%d' } }]],
    [['linux.sysctl', { 'net.ipv4.conf.eth0/100.forwarding': '1', 'kernel.domainname': 'example' }]],
    [['linux.intelRdt.closID', '/']],
    [['linux.memoryPolicy', { mode: 'MPOL_DEFAULT' }]],
    [['linux.resources.memory', { limit: -1, swap: -1 }]],
    [['process.scheduler', { policy: 'SCHED_OTHER', nice: -20 }]],
    [['process.execCPUAffinity', { initial: '', final: ' 1 , 2-3' }]],
    [
      ['process.terminal', false],
      ['process.consoleSize.width', 70000],
    ],
    [['mounts[1]', { destination: '/x', source: '/x', options: ['rbind', 'ridmap'] }]],
    [['process', undefined]],
    [
      ['linux', undefined],
      ['hostname', undefined],
      ['domainname', undefined],
    ],
  ];
  for (const changes of fine) expect(check(changed(...changes)).warnings, JSON.stringify(changes)).toEqual([]);
  expect(check(changed(['linux.rootfsPropagation', 'rslave'])).spec.linux!.rootfsPropagation).toBe('slave');
  expect(
    check(changed(['linux.namespaces', [{ type: 'uts', path: '' }, ...namespaces('network', 'ipc', 'time', 'user')]]))
      .spec.linux!.namespaces![0],
  ).toEqual({ type: 'uts' });
});

test('root.path may be absolute, or a link to a directory', () => {
  mkdirSync(join(bundle, 'other'), { recursive: true });
  symlinkSync('other', join(bundle, 'link'));
  expect(check(changed(['root.path', join(bundle, 'rootfs')])).warnings).toEqual([]);
  expect(check(changed(['root.path', 'link'])).warnings).toEqual([]);
});

test('start needs a process, create does not', () => {
  const { spec } = check(changed(['process', undefined]));
  expect(refusal(() => requireProcess(spec, 'config.json')).message).toMatch(/process is missing/);
  expect(requireProcess(check(sound).spec, 'config.json').cwd).toBe('/');
});

test('a process by itself is held to the same', () => {
  expect(loadProcess(writeSpec(sound.process as unknown as RuntimeSpec))).toEqual({
    process: sound.process,
    warnings: [],
  });
  expect(refusal(() => loadProcess('{"cwd":"x","args":["a"]}', 'p.json')).message).toBe(
    'p.json: cwd must be an absolute path: "x"',
  );
  expect(refusal(() => loadProcess('{"cwd":"/","args":[]}')).message).toMatch(/args must name the program/);
  expect(refusal(() => loadProcess('null')).message).toMatch(/the document is missing|process is missing/);
});

test('resources by themselves are held to the same', () => {
  expect(loadResources(JSON.stringify(sound.linux.resources))).toEqual({
    resources: sound.linux.resources,
    warnings: [],
  });
  expect(refusal(() => loadResources('{"cpu":{"cpus":"x"}}', '-')).message).toMatch(/^-: cpu\.cpus must be a list/);
  expect(refusal(() => loadResources('{"memory":3}')).message).toMatch(/memory must be an object/);
});
