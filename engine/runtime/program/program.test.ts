import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import { frame } from '../control.ts';
import { code, encodeProgram, encodeSteps } from './encoder.ts';
import { type ContainerProcess, containerSteps, execSteps } from './process.ts';

const spec = (over: Partial<RuntimeSpec['process']> = {}): RuntimeSpec => ({
  ociVersion: '1.2.0',
  hostname: 'web',
  process: {
    args: ['true'],
    cwd: '/srv',
    env: ['PATH=/bin'],
    user: { uid: 5, gid: 6, additionalGids: [6, 7] },
    capabilities: { bounding: ['CAP_CHOWN'], effective: [], permitted: [] },
    ...over,
  },
  linux: {
    namespaces: [{ type: 'mount' }, { type: 'uts' }, { type: 'pid' }, { type: 'cgroup' }, { type: 'network' }],
    sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0' },
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
  },
});

const request = (over: Partial<ContainerProcess> = {}): ContainerProcess => ({
  spec: spec(),
  root: { layers: ['/l/b', '/l/a'], upper: '/u', work: '/w', target: '/r' },
  membership: { tasks: ['/cg/tasks'] },
  cgroups: [],
  network: 0,
  seccomp: { filter: new Uint8Array(8), flags: 0 },
  hasInit: false,
  ...over,
});

const names = (steps: readonly (readonly [string, ...unknown[]])[]) => steps.map(([name]) => name);

/** `kName = 1,` lines of an enum in a header. */
function enumOf(file: string, start: string): Record<string, number> {
  const text = readFileSync(new URL(`../../../native/shim/${file}`, import.meta.url), 'utf8');
  const body = text.slice(text.indexOf(start));
  const lines = body.slice(0, body.indexOf('};')).matchAll(/k(\w)(\w*) = (\d+),/g);
  return Object.fromEntries([...lines].map(([, first, rest, value]) => [first!.toLowerCase() + rest, Number(value)]));
}

test('both sides number steps and frames alike', () => {
  expect(enumOf('program.h', 'enum class Code')).toEqual(code);
  expect(enumOf('monitor.h', 'namespace frame')).toEqual(frame);
});

test('little-endian, lengths before bodies, strings ended by NUL', () => {
  expect(Buffer.from(encodeProgram([['hostname', 'ab']])).toString('hex')).toBe(
    '53544b50' + '01000000' + '6800' + '0000' + '07000000' + '02000000' + '6162' + '00',
  );
  expect(Buffer.from(encodeSteps([['joinCgroup', ['x']]])).toString('hex')).toBe(
    '6500' + '0000' + '0a000000' + '01000000' + '01000000' + '7800',
  );
});

test('the order keeps what is dangerous behind what makes it safe', () => {
  const order = names(containerSteps(request()));
  const before = (first: string, second: string) => expect(order.indexOf(first)).toBeLessThan(order.indexOf(second));
  expect(order[0]).toBe('clone');
  before('joinCgroup', 'unshare'); // the cgroup namespace must begin at the container's own cgroup
  before('propagation', 'overlay');
  before('sysctl', 'readonlyPath'); // /proc/sys is writable only until then
  before('mask', 'pivot');
  before('bounding', 'user');
  before('user', 'capabilities');
  before('capabilities', 'await');
  expect(order.at(-1)).toBe('exec');
});

test.each([true, false])('seccomp is loaded at the very last moment; no_new_privs %s', (noNewPrivileges) => {
  const steps = names(containerSteps(request({ spec: spec({ noNewPrivileges }) })));
  expect(steps.indexOf('seccomp')).toBe(steps.length - 2);
  expect(steps.indexOf('noNewPrivileges')).toBeLessThan(steps.indexOf('seccomp'));
});

test('limits of an exec are set before it enters the container, whose files could lie', () => {
  const steps = execSteps({
    process: { ...spec().process!, oomScoreAdj: 5 },
    membership: { tasks: [] },
    namespaces: ['mount', 'pid'],
    seccomp: undefined,
  });
  expect(names(steps).slice(0, 3)).toEqual(['clone', 'oomScore', 'joinContainer']);
});

test('an unknown resource limit is refused', () => {
  const process = { ...spec().process!, rlimits: [{ type: 'RLIMIT_FOO', soft: 1, hard: 1 }] };
  expect(() => containerSteps(request({ spec: { ...spec(), process } }))).toThrow('RLIMIT_FOO');
});
