/** The order of the steps: nothing dangerous before what makes it safe, nothing after what it needs is gone. */
import { expect, test } from 'vitest';
import type { Linux, Mount, Namespace, Process, RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import type { Step } from './encoder.ts';
import { type ContainerProcess, containerSteps, execSteps, type HookStep } from './process.ts';

const ids = [{ containerID: 0, hostID: 1000, size: 10 }];
const filter = { filter: new Uint8Array(8), flags: 0 };
const every: Namespace[] = (['mount', 'uts', 'pid', 'ipc', 'network', 'cgroup'] as const).map((type) => ({ type }));

interface Asked {
  namespaces?: Namespace[];
  linux?: Partial<Linux>;
  process?: Partial<Process>;
  mounts?: Mount[];
  root?: RuntimeSpec['root'];
  request?: Partial<ContainerProcess>;
}

function stepsOf({ namespaces = every, linux, process, mounts, root, request }: Asked): Step[] {
  const spec: RuntimeSpec = {
    ociVersion: '1.3.0',
    hostname: 'box',
    process: { args: ['true'], cwd: '/', rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }], ...process },
    linux: { namespaces, uidMappings: ids, gidMappings: ids, ...linux },
    ...(mounts ? { mounts } : {}),
    ...(root ? { root } : {}),
  };
  return containerSteps({
    spec,
    root: { directory: '/bundle/rootfs', holder: '/bundle' },
    membership: { tasks: ['/cg/tasks'] },
    cgroups: [],
    network: undefined,
    seccomp: filter,
    hasInit: false,
    ...request,
  });
}

const namesOf = (steps: readonly Step[]) => steps.map(([name]) => name);

function inOrder(steps: readonly Step[], ...expected: string[]): void {
  const names = namesOf(steps) as string[];
  const found = expected.map((name) => names.indexOf(name));
  expect(found, `${expected} in ${names}`).not.toContain(-1);
  expect(found, names.join()).toEqual(found.toSorted((a, b) => a - b));
}

const flags = { time: 0x80, mount: 0x2_0000, cgroup: 0x200_0000, uts: 0x400_0000, ipc: 0x800_0000, pid: 0x2000_0000 };
const network = 0x4000_0000;
const rest = flags.mount | flags.uts | flags.ipc | flags.pid | network;

test('without a stage, the namespaces are those of the clone, and cgroup after the cgroup was entered', () => {
  const steps = stepsOf({});
  expect(steps[0]).toEqual(['clone', { u64: rest }, '']);
  expect(steps.filter(([name]) => name === 'unshare')).toEqual([['unshare', flags.cgroup, 'cgroup']]);
  inOrder(steps, 'clone', 'joinCgroup', 'unshare', 'loopback', 'bindRoot', 'pivot', 'exec');
  expect(namesOf(steps)).not.toContain('fork');
});

test('a user namespace is entered in the container’s cgroup, before all it shall own, and limits before it', () => {
  const steps = stepsOf({ namespaces: [...every, { type: 'user' }] });
  expect(steps[0]).toEqual(['clone', { u64: 0 }, '']);
  inOrder(steps, 'joinCgroup', 'rlimit', 'userNamespace', 'unshare', 'fork', 'loopback', 'hostname', 'bindRoot');
  expect(steps.find(([name]) => name === 'userNamespace')).toEqual(['userNamespace', '0 1000 10\n', '0 1000 10\n']);
  expect(steps.find(([name]) => name === 'unshare')?.[1]).toBe((rest | flags.cgroup) >>> 0);
});

test('a new time namespace has its offsets before anything is born in it', () => {
  const timeOffsets = { boottime: { secs: -5, nanosecs: 1 }, monotonic: { secs: 7 } };
  const steps = stepsOf({ namespaces: [...every, { type: 'time' }], linux: { timeOffsets } });
  inOrder(steps, 'unshare', 'timeOffsets', 'fork', 'bindRoot');
  expect(steps.find(([name]) => name === 'timeOffsets')).toEqual(['timeOffsets', 'boottime -5 1\nmonotonic 7 0\n']);
  expect(steps.find(([name]) => name === 'unshare')).toEqual(['unshare', flags.time, 'time namespace']);
});

test('namespaces by path are entered with the host’s rights, the user namespace last of them', () => {
  const joined = (['user', 'pid', 'network', 'mount', 'time'] as const).map((type) => ({ type, path: `/ns/${type}` }));
  const steps = stepsOf({ namespaces: [...joined, { type: 'ipc' }] });
  const entered = steps.filter(([name]) => ['setnsPath', 'unshare', 'fork', 'userNamespace'].includes(name));
  expect(entered).toEqual([
    ['setnsPath', '/ns/pid', flags.pid],
    ['setnsPath', '/ns/network', network],
    ['setnsPath', '/ns/mount', flags.mount],
    ['setnsPath', '/ns/time', flags.time],
    ['setnsPath', '/ns/user', 0x1000_0000],
    ['unshare', flags.ipc, 'ipc'],
    ['fork'],
  ]);
  // The network of another is not ours to raise.
  expect(namesOf(steps)).not.toContain('loopback');
});

test('sources are opened before the user namespace, all of them; without one those whose owners are mapped', () => {
  const mounts: Mount[] = [
    { destination: '/a', source: '/a', type: 'bind', options: ['bind'] },
    { destination: '/b', source: '/b', type: 'bind', options: ['bind'], uidMappings: ids, gidMappings: ids },
  ];
  const own = stepsOf({ namespaces: [...every, { type: 'user' }], mounts });
  inOrder(own, 'joinCgroup', 'source', 'userNamespace', 'fork', 'bind');
  const sources = (steps: Step[]) => steps.filter(([name]) => name === 'source').map(([, path]) => path);
  const binds = (steps: Step[]) => steps.filter(([name]) => name === 'bind').map(([, , , index]) => index);
  expect([sources(own), binds(own)]).toEqual([
    ['/a', '/b'],
    [0, 1],
  ]);
  expect(namesOf(stepsOf({ mounts }))).toContain('fork');
  expect(namesOf(stepsOf({ mounts: mounts.slice(0, 1) }))).not.toContain('source');
});

const hook = (path: string): HookStep => ({ path, args: [], env: ['A=b'], cwd: '/b', timeoutMs: 7, state: ['{', '}'] });

test('hooks: createContainer after the runtime’s own and before the change of root, startContainer after the start', () => {
  const hooks = { createContainer: [hook('/1'), hook('/2')], startContainer: [hook('/3')] };
  const steps = stepsOf({ request: { hooks, isSynchronised: true } });
  const relevant = steps.filter(([name]) => ['sync', 'hook', 'pivot', 'await', 'exec'].includes(name));
  const told = [['A=b'], '/b', 7, '{', '}'];
  expect(relevant).toEqual([
    ['sync'],
    ['hook', '/1', ['/1'], ...told],
    ['hook', '/2', ['/2'], ...told],
    ['pivot'],
    ['await'],
    ['hook', '/3', ['/3'], ...told],
    ['exec', ['true'], []],
  ]);
});

test('a listener is connected with the host’s paths, and told with the filter', () => {
  const listener = { path: '/run/agent', state: ['a', 'b', 'c'] as const };
  const steps = stepsOf({ namespaces: [...every, { type: 'user' }], request: { seccomp: { ...filter, listener } } });
  inOrder(steps, 'listener', 'userNamespace', 'pivot', 'seccomp', 'exec');
  expect(steps.find(([name]) => name === 'seccomp')).toEqual(['seccomp', 0, filter.filter, 'a', 'b', 'c']);
});

test.each([true, false])('labels before the filter, with no_new_privs %s', (noNewPrivileges) => {
  const labels = [{ file: 'thread-self/attr/exec', text: 'exec p' }];
  const steps = stepsOf({ process: { noNewPrivileges }, request: { labels } });
  inOrder(steps, 'pivot', 'label', 'seccomp', 'exec');
  inOrder(steps, 'bounding', 'user', 'capabilities', 'await', 'label', 'seccomp', 'exec');
  expect(namesOf(steps).at(-2)).toBe('seccomp');
  // Loading it needs CAP_SYS_ADMIN where no_new_privs is not set.
  const kept = steps.find(([name]) => name === 'capabilities')!.at(-1);
  expect(kept).toEqual({ u64: noNewPrivileges ? 0n : 1n << 21n });
});

test('where it can be traced from inside, it waits for its start under the filter', () => {
  const capabilities = { bounding: ['CAP_SYS_PTRACE'] };
  const steps = (noNewPrivileges: boolean) =>
    stepsOf({
      process: { noNewPrivileges, capabilities },
      request: { looksUp: true, hooks: { createContainer: [], startContainer: [hook('/3')] } },
    });
  inOrder(steps(false), 'capabilities', 'lookup', 'seccomp', 'await', 'hook', 'exec');
  inOrder(steps(true), 'capabilities', 'lookup', 'await', 'hook', 'seccomp', 'exec');
});

test.each([
  [true, [], [], false],
  [true, ['CAP_SYS_PTRACE'], [], false],
  [false, [], [], false],
  [false, ['CAP_SYS_PTRACE'], [], true],
  [false, [], ['CAP_SYS_PTRACE'], true],
])(
  'exec: born in the pid namespace without a right too many; no_new_privs %s, %j, the container %j',
  (noNewPrivileges, bounding, inContainer, isLast) => {
    const steps = execSteps({
      process: { args: ['true'], cwd: '/', noNewPrivileges, capabilities: { bounding }, terminal: true },
      membership: { tasks: [] },
      namespaces: ['mount', 'pid'],
      container: { bounding: inContainer },
      seccomp: filter,
    });
    inOrder(steps, 'joinContainer', 'terminal', 'bounding', 'user', 'capabilities', 'fork', 'session', 'exec');
    inOrder(steps, ...(isLast ? ['seccomp', 'fork'] : ['session', 'seccomp']), 'exec');
    expect(
      namesOf(
        execSteps({ process: { cwd: '/' }, membership: { tasks: [] }, namespaces: ['mount'], seccomp: undefined }),
      ),
    ).not.toContain('fork');
  },
);

test('what the host grants is taken before the namespaces', () => {
  const steps = stepsOf({
    namespaces: [...every, { type: 'user' }],
    process: { oomScoreAdj: 5, scheduler: { policy: 'SCHED_BATCH' }, ioPriority: { class: 'IOPRIO_CLASS_IDLE' } },
    linux: { memoryPolicy: { mode: 'MPOL_LOCAL' }, personality: { domain: 'LINUX32' } },
  });
  inOrder(steps, 'joinCgroup', 'oomScore', 'memoryPolicy', 'personality', 'ioPriority', 'scheduler', 'userNamespace');
  expect(steps.find(([name]) => name === 'personality')).toEqual(['personality', { u64: 8 }]);
});

test.each([
  [undefined, [['/', (1 << 19) | (1 << 14)]]],
  ...[
    ['shared', 1 << 20],
    ['slave', 1 << 19],
    ['private', 1 << 18],
    ['unbindable', 1 << 17],
  ].map(([name, bits]) => [
    name,
    [
      ['/', bits],
      ['/bundle', 1 << 18],
      ['/', bits],
    ],
  ]),
] as [Linux['rootfsPropagation'], [string, number][]][])('rootfsPropagation %s', (rootfsPropagation, expected) => {
  const steps = stepsOf({ linux: rootfsPropagation ? { rootfsPropagation } : {} });
  const spread = steps.filter(([name]) => name === 'propagation');
  expect(spread.map(([, path, bits]) => [path, Number((bits as { u64: number }).u64)])).toEqual(expected);
  inOrder(steps, 'propagation', 'bindRoot', 'pivot');
  if (rootfsPropagation) expect(namesOf(steps).lastIndexOf('propagation')).toBe(namesOf(steps).indexOf('pivot') + 1);
});

test('the root is read-only only once it is the root', () => {
  inOrder(stepsOf({ root: { path: 'rootfs', readonly: true } }), 'mknod', 'pivot', 'readonlyRoot', 'exec');
});

test('without a mount namespace nothing spreads, and the root is changed by chroot', () => {
  const names = namesOf(stepsOf({ namespaces: [{ type: 'pid' }], linux: { rootfsPropagation: 'shared' } }));
  expect(names).not.toContain('propagation');
  expect(names).not.toContain('pivot');
  expect(names).toContain('chroot');
});

test('on the initial ramfs the root is moved', () => {
  const names = namesOf(stepsOf({ request: { mayPivot: false } }));
  expect(names).toContain('moveRoot');
  expect(names).not.toContain('pivot');
});

test('in a /dev that is bound from elsewhere nothing is made', () => {
  const dev = (mount: Partial<Mount>) =>
    namesOf(stepsOf({ mounts: [{ destination: '/dev', source: '/dev', ...mount }] })).includes('mknod');
  expect(dev({ type: 'bind' })).toBe(false);
  expect(dev({ destination: '/dev/', options: ['rbind'] })).toBe(false);
  expect(dev({ type: 'tmpfs', source: 'tmpfs' })).toBe(true);
});

test('devices: a default of the same path gives way; kinds by their mode bits; sysctl in either form', () => {
  const steps = stepsOf({
    linux: {
      devices: [
        { type: 'c', path: '/dev/null', major: 9, minor: 8, fileMode: 0o600, uid: 1, gid: 2 },
        { type: 'b', path: '/dev/b', major: 7, minor: 0 },
        { type: 'u', path: '/dev/u', major: 1, minor: 3 },
        { type: 'p', path: '/dev/p' },
      ],
      sysctl: { 'net.core.somaxconn': '1', 'net/ipv4/conf/eth0.1/forwarding': '0' },
    },
  });
  const made = steps.filter(([name]) => name === 'mknod').map(([, ...fields]) => fields);
  expect(made.filter(([path]) => path === '/dev/null')).toEqual([['/dev/null', 0o020600, 9, 8, 1, 2]]);
  expect(made.slice(-3)).toEqual([
    ['/dev/b', 0o060666, 7, 0, 0, 0],
    ['/dev/u', 0o020666, 1, 3, 0, 0],
    ['/dev/p', 0o010666, 0, 0, 0, 0],
  ]);
  const paths = steps.filter(([name]) => name === 'sysctl').map(([, path]) => path);
  expect(paths).toEqual(['/proc/sys/net/core/somaxconn', '/proc/sys/net/ipv4/conf/eth0.1/forwarding']);
});

test('exec: the processors before and after the cgroup; the keyring inside; descriptors before the credentials', () => {
  const steps = execSteps({
    process: { args: ['true'], cwd: '/', execCPUAffinity: { initial: '0', final: '1' }, terminal: true },
    membership: { tasks: ['/cg/tasks'] },
    namespaces: ['mount', 'pid'],
    seccomp: filter,
    keyring: '_ses.box',
    files: [3],
  });
  const names = namesOf(steps);
  expect(names.filter((name) => ['affinity', 'joinCgroup'].includes(name))).toEqual([
    'affinity',
    'joinCgroup',
    'affinity',
  ]);
  inOrder(steps, 'joinCgroup', 'joinContainer', 'terminal', 'keyring', 'files', 'user', 'exec');
});
