import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Seccomp, SeccompAction, SeccompArgument, SeccompRule } from '../../../schemas/oci-runtime.ts';
import { architectures, nativeArchitectures, numbers } from './architectures.ts';
import { compile } from './compile.ts';
import { multiplexer } from './multiplexed.ts';
import { filterFlags, supportedFlags } from './names.ts';
import { defaultPolicy } from './policy.ts';
import { precompiled, precompiledFor } from './precompiled.ts';
import { compileSeccomp, defaultSeccomp } from './seccomp.ts';

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (number: number) => 0x50000 | number;
const X86_64 = 0xc000003e;
const I386 = 0x40000003;
const AARCH64 = 0xc00000b7;
const ARM = 0x40000028;
const x64 = nativeArchitectures('x64');

/** Runs a filter as the kernel's interpreter does (net/core/filter.c) over one `struct seccomp_data`. */
function run(filter: Uint8Array, arch: number, nr: number, args: (number | bigint)[] = []): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, arch, true);
  args.forEach((value, at) => {
    data.setBigUint64(16 + at * 8, BigInt.asUintN(64, BigInt(value)), true);
  });
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  let a = 0;
  for (let pc = 0; pc < filter.byteLength / 8; pc++) {
    const code = view.getUint16(pc * 8, true);
    const jt = view.getUint8(pc * 8 + 2);
    const jf = view.getUint8(pc * 8 + 3);
    const k = view.getUint32(pc * 8 + 4, true);
    if (code === 0x20) a = data.getUint32(k, true);
    else if (code === 0x54) a = (a & k) >>> 0;
    else if (code === 0x05) pc += k;
    else if (code === 0x15) pc += a === k ? jt : jf;
    else if (code === 0x25) pc += a > k ? jt : jf;
    else if (code === 0x35) pc += a >= k ? jt : jf;
    else if (code === 0x06) return k;
    else throw new Error(`instruction ${pc}: unknown code ${code}`);
  }
  throw new Error('the filter ends without a return');
}

const docker = ['CAP_CHOWN', 'CAP_NET_RAW', 'CAP_SYS_CHROOT'];
const nr = (name: string, arch = 'SCMP_ARCH_X86_64') => numbers(arch).get(name)! + architectures[arch]!.base;

test('numbers are those of the kernel headers', () => {
  const cases: [string, string, number][] = [
    ['SCMP_ARCH_X86_64', 'read', 0],
    ['SCMP_ARCH_X86_64', 'execve', 59],
    ['SCMP_ARCH_X86_64', 'pidfd_send_signal', 424],
    ['SCMP_ARCH_X86_64', 'mseal', 462],
    ['SCMP_ARCH_X86', 'exit', 1],
    ['SCMP_ARCH_X86', 'socketcall', 102],
    ['SCMP_ARCH_X86', 'clone3', 435],
    ['SCMP_ARCH_X32', 'execve', 520],
    ['SCMP_ARCH_AARCH64', 'openat', 56],
    ['SCMP_ARCH_AARCH64', 'clone', 220],
    ['SCMP_ARCH_AARCH64', 'faccessat2', 439],
    ['SCMP_ARCH_ARM', 'exit', 1],
    ['SCMP_ARCH_ARM', 'recvmmsg', 365],
    ['SCMP_ARCH_ARM', 'sync_file_range2', 341],
    ['SCMP_ARCH_ARM', 'arm_sync_file_range', 341],
    ['SCMP_ARCH_ARM', 'tee', 342],
    ['SCMP_ARCH_ARM', 'mseal', 462],
    ['SCMP_ARCH_ARM', 'set_tls', 0xf0005],
  ];
  for (const [arch, name, number] of cases) expect(numbers(arch).get(name), `${arch} ${name}`).toBe(number);
});

test.each([
  ['read', [], ALLOW],
  ['execve', [], ALLOW],
  ['ptrace', [], ALLOW],
  ['chroot', [], ALLOW],
  ['mount', [], errno(1)],
  ['umount2', [], errno(1)],
  ['unshare', [], errno(1)],
  ['setns', [], errno(1)],
  ['bpf', [], errno(1)],
  ['keyctl', [], errno(1)],
  ['add_key', [], errno(1)],
  ['userfaultfd', [], errno(1)],
  ['io_uring_setup', [], errno(1)],
  ['kexec_load', [], errno(1)],
  ['init_module', [], errno(1)],
  ['open_by_handle_at', [], errno(1)],
  ['perf_event_open', [], errno(1)],
  ['syslog', [], errno(1)],
  ['reboot', [], errno(1)],
  ['settimeofday', [], errno(1)],
  ['mbind', [], errno(1)],
  ['clone3', [], errno(38)],
  ['clone', [0x11], ALLOW],
  ['clone', [0x10000000], errno(1)],
  ['clone', [0x00020011], errno(1)],
  ['clone', [0x40000011n], errno(1)],
  ['clone', [0x1_0000_0011n], ALLOW],
  ['socket', [1], ALLOW],
  ['socket', [16], ALLOW],
  ['socket', [37], ALLOW],
  ['socket', [38], errno(1)],
  ['socket', [39], ALLOW],
  ['socket', [40], errno(1)],
  ['socket', [41], ALLOW],
  ['socket', [42], ALLOW],
  ['socket', [45], ALLOW],
  ['socket', [0x1_0000_0001n], ALLOW],
  ['socket', [0x1_0000_0028n], errno(1)],
  ['personality', [0], ALLOW],
  ['personality', [8], ALLOW],
  ['personality', [0xffffffff], ALLOW],
  ['personality', [0x0040000], errno(1)],
  ['personality', [0x1_0000_0008n], errno(1)],
] as [string, (number | bigint)[], number][])('default policy on x86_64: %s %s', (name, args, expected) => {
  expect(run(compile(defaultPolicy(docker, x64), 'x64').filter, X86_64, nr(name), args)).toBe(expected);
});

test('default policy on the other ABIs of the machine', () => {
  const filter = compile(defaultPolicy(docker, x64), 'x64').filter;
  expect(run(filter, I386, nr('read', 'SCMP_ARCH_X86'))).toBe(ALLOW);
  expect(run(filter, I386, nr('mount', 'SCMP_ARCH_X86'))).toBe(errno(1));
  expect(run(filter, I386, nr('clone3', 'SCMP_ARCH_X86'))).toBe(errno(38));
  expect(run(filter, X86_64, nr('read', 'SCMP_ARCH_X32'))).toBe(ALLOW);
  expect(run(filter, X86_64, nr('mount', 'SCMP_ARCH_X32'))).toBe(errno(1));
  expect(run(filter, AARCH64, 0), 'a foreign architecture').toBe(KILL_PROCESS);
  expect(run(filter, X86_64, 1000), 'a call newer than the policy').toBe(errno(38));
  expect(run(filter, I386, 1000)).toBe(errno(38));
  expect(run(filter, X86_64, 0x40000000 + 1000)).toBe(errno(38));
});

test('default policy on arm64', () => {
  const filter = compile(defaultPolicy(docker, nativeArchitectures('arm64')), 'arm64').filter;
  const on = (name: string, args: number[] = []) => run(filter, AARCH64, nr(name, 'SCMP_ARCH_AARCH64'), args);
  expect([on('read'), on('mount'), on('clone3'), on('clone', [0x11]), on('clone', [0x10000000])]).toEqual([
    ALLOW,
    errno(1),
    errno(38),
    ALLOW,
    errno(1),
  ]);
  expect(run(filter, X86_64, 0)).toBe(KILL_PROCESS);
});

test('a capability brings its calls', () => {
  const filter = compile(defaultPolicy(['CAP_SYS_ADMIN', 'CAP_SYS_TIME'], x64), 'x64').filter;
  const on = (name: string, args: number[] = []) => run(filter, X86_64, nr(name), args);
  expect([on('mount'), on('clone3'), on('clone', [0x10000000]), on('settimeofday')]).toEqual(Array(4).fill(ALLOW));
  expect([on('chroot'), on('reboot'), on('init_module')]).toEqual(Array(3).fill(errno(1)));
});

test('without x32 in the profile its calls are killed, and 32-bit programs without x86', () => {
  const filter = compile(defaultPolicy(docker, ['SCMP_ARCH_X86_64']), 'x64').filter;
  expect(run(filter, X86_64, nr('read'))).toBe(ALLOW);
  expect(run(filter, X86_64, nr('read', 'SCMP_ARCH_X32'))).toBe(KILL_PROCESS);
  expect(run(filter, I386, nr('read', 'SCMP_ARCH_X86'))).toBe(KILL_PROCESS);
});

test('the default filter stays small', () => {
  expect(compile(defaultPolicy(docker, x64), 'x64').filter.length / 8).toBeLessThan(500);
});

const operators: [SeccompArgument['op'], (a: bigint, v: bigint, two: bigint) => boolean][] = [
  ['SCMP_CMP_EQ', (a, v) => a === v],
  ['SCMP_CMP_NE', (a, v) => a !== v],
  ['SCMP_CMP_LT', (a, v) => a < v],
  ['SCMP_CMP_LE', (a, v) => a <= v],
  ['SCMP_CMP_GT', (a, v) => a > v],
  ['SCMP_CMP_GE', (a, v) => a >= v],
  ['SCMP_CMP_MASKED_EQ', (a, v, two) => (a & v) === (two & v)],
];
const numbersToTry = [0n, 1n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n, 0x8000_0000_0000_0000n, (1n << 64n) - 1n];

test.each(operators)('%s compares 64 bits', (op, holds) => {
  for (const value of numbersToTry) {
    for (const valueTwo of op === 'SCMP_CMP_MASKED_EQ' ? numbersToTry : [0n]) {
      const profile: Seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          { names: ['ioctl'], action: 'SCMP_ACT_ERRNO', errnoRet: 7, args: [{ index: 2, value, valueTwo, op }] },
        ],
      };
      const { filter } = compile(profile, 'x64');
      for (const given of numbersToTry) {
        const expected = holds(given, value, valueTwo) ? errno(7) : ALLOW;
        expect(run(filter, X86_64, nr('ioctl'), [9, 9, given]), `${given} ${op} ${value} ${valueTwo}`).toBe(expected);
      }
    }
  }
});

test('a 32-bit ABI compares the low halves alone', () => {
  const { filter } = compile(
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86'],
      syscalls: [
        {
          names: ['personality'],
          action: 'SCMP_ACT_ERRNO',
          args: [{ index: 0, value: 0xffff_ffff_0000_0008n, op: 'SCMP_CMP_EQ' }],
        },
      ],
    },
    'x64',
  );
  expect(run(filter, I386, nr('personality', 'SCMP_ARCH_X86'), [8])).toBe(errno(1));
  expect(run(filter, X86_64, nr('personality'), [8])).toBe(ALLOW);
});

test('several arguments must all hold; a repeated one is an alternative', () => {
  const rule = (args: SeccompArgument[]): Seccomp => ({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: ['fcntl'], action: 'SCMP_ACT_ALLOW', args }],
  });
  const both = compile(
    rule([
      { index: 0, value: 3, op: 'SCMP_CMP_EQ' },
      { index: 1, value: 4, op: 'SCMP_CMP_EQ' },
    ]),
    'x64',
  ).filter;
  expect(
    [
      [3, 4],
      [3, 5],
      [2, 4],
    ].map((args) => run(both, X86_64, nr('fcntl'), args)),
  ).toEqual([ALLOW, errno(1), errno(1)]);
  const either = compile(
    rule([
      { index: 1, value: 3, op: 'SCMP_CMP_EQ' },
      { index: 1, value: 4, op: 'SCMP_CMP_EQ' },
    ]),
    'x64',
  ).filter;
  expect([3, 4, 5].map((value) => run(either, X86_64, nr('fcntl'), [0, value]))).toEqual([ALLOW, ALLOW, errno(1)]);
});

test('every action and flag of the specification', () => {
  const actions = {
    SCMP_ACT_KILL: 0,
    SCMP_ACT_KILL_THREAD: 0,
    SCMP_ACT_KILL_PROCESS: 0x80000000,
    SCMP_ACT_TRAP: 0x30000,
    SCMP_ACT_ERRNO: 0x50005,
    SCMP_ACT_TRACE: 0x7ff00005,
    SCMP_ACT_LOG: 0x7ffc0000,
    SCMP_ACT_NOTIFY: 0x7fc00000,
    SCMP_ACT_ALLOW: 0x7fff0000,
  } as const;
  for (const [action, value] of Object.entries(actions)) {
    const { filter } = compile(
      {
        defaultAction: 'SCMP_ACT_LOG',
        syscalls: [{ names: ['read'], action: action as keyof typeof actions, errnoRet: 5 }],
      },
      'x64',
    );
    expect(run(filter, X86_64, 0), action).toBe(value);
    expect(run(filter, X86_64, 1)).toBe(0x7ffc0000);
    expect(run(filter, X86_64, 5000), 'an allowing default says yes to new calls').toBe(0x7ffc0000);
  }
  const { flags } = compile(
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],
    },
    'x64',
  );
  expect(flags, 'WAIT_KILLABLE_RECV means nothing without a listener').toBe(2 | 4);
});

test('SCMP_ACT_NOTIFY asks seccomp(2) for a listener', () => {
  const notifying = (flags: Seccomp['flags'] = []) =>
    compile(
      { defaultAction: 'SCMP_ACT_ALLOW', flags, syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] },
      'x64',
    );
  expect(notifying()).toMatchObject({ flags: 8, isNotifying: true });
  expect(notifying(['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']).flags).toBe(8 | 32);
  expect(notifying(['SECCOMP_FILTER_FLAG_TSYNC']).flags, 'with TSYNC_ESRCH, or the kernel refuses').toBe(8 | 1 | 16);
  expect(compile({ defaultAction: 'SCMP_ACT_ALLOW' }, 'x64')).toMatchObject({ flags: 0, isNotifying: false });
});

test('a flag the kernel has not is refused by name, and one that nobody has', () => {
  const flag = 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV';
  expect(() => filterFlags([flag], true, '5.18.3-generic')).toThrow(
    /WAIT_KILLABLE_RECV needs Linux 5\.19; this is 5\.18/,
  );
  expect(filterFlags([flag], true, '5.19.0')).toBe(8 | 32);
  expect(filterFlags([flag], true, '6.1.0-9-cloud-amd64')).toBe(8 | 32);
  expect(supportedFlags('4.14.0')).toEqual(['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG']);
  expect(() => filterFlags(['toString' as 'SECCOMP_FILTER_FLAG_LOG'], false)).toThrow(
    /"toString" is not a seccomp flag/,
  );
});

test('a rule that does what happens by default takes nothing from the others', () => {
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      { names: ['fcntl', 'mseal'], action: 'SCMP_ACT_ERRNO' },
      { names: ['fcntl'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 3, op: 'SCMP_CMP_EQ' }] },
    ],
  };
  const { filter } = compile(profile, 'x64');
  expect([3, 4].map((value) => run(filter, X86_64, nr('fcntl'), [value]))).toEqual([ALLOW, errno(1)]);
  expect(run(filter, X86_64, nr('mseal')), 'but it counts for what is new').toBe(errno(1));
  expect(run(filter, X86_64, nr('mseal') + 1)).toBe(errno(38));
});

test('under a tracer new calls are the tracer’s', () => {
  const { filter } = compile({ defaultAction: 'SCMP_ACT_TRACE', defaultErrnoRet: 7 }, 'x64');
  expect(run(filter, X86_64, 5000)).toBe(0x7ff00007);
});

test('32-bit x86: a rule about a call is about socketcall and ipc, too', () => {
  const { filter } = compile(
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86'],
      syscalls: [
        { names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: 5 },
        { names: ['shmat'], action: 'SCMP_ACT_ERRNO', errnoRet: 6 },
        {
          names: ['listen'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 7,
          args: [{ index: 0, value: 3, op: 'SCMP_CMP_EQ' }],
        },
      ],
    },
    'x64',
  );
  const on = (name: string, args: number[]) => run(filter, I386, nr(name, 'SCMP_ARCH_X86'), args);
  expect([on('socket', []), on('socketcall', [1]), on('socketcall', [2])]).toEqual([errno(5), errno(5), ALLOW]);
  expect([on('ipc', [21]), on('ipc', [0x10015]), on('ipc', [22])]).toEqual([errno(6), errno(6), ALLOW]);
  expect([on('listen', [3]), on('listen', [4]), on('socketcall', [4])]).toEqual([errno(7), ALLOW, errno(7)]);
  expect(run(filter, X86_64, nr('shmat'))).toBe(errno(6));
  expect([multiplexer('sendmmsg')?.selector.value, multiplexer('shmctl')?.selector.valueTwo]).toEqual([20, 24]);
  expect([multiplexer('read'), multiplexer('toString')]).toEqual([undefined, undefined]);
});

test('32-bit ARM on arm64: its own numbers, those far above them too', () => {
  const { filter } = compile(
    {
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: ['SCMP_ARCH_ARM'],
      syscalls: [{ names: ['read', 'openat', 'set_tls', 'arm_sync_file_range'], action: 'SCMP_ACT_ALLOW' }],
    },
    'arm64',
  );
  const on = (number: number) => run(filter, ARM, number);
  expect([on(3), on(322), on(341), on(0xf0005)]).toEqual(Array(4).fill(ALLOW));
  expect([on(0), on(340), on(0xf0000), on(0xf0002)]).toEqual(Array(4).fill(errno(1)));
  expect([on(342), on(0xeffff), on(0xf0006)]).toEqual(Array(3).fill(errno(38)));
  expect([run(filter, AARCH64, 63), run(filter, AARCH64, 3)]).toEqual([ALLOW, errno(1)]);
  expect(run(compile({ defaultAction: 'SCMP_ACT_ALLOW' }, 'arm64').filter, ARM, 3), 'not asked for').toBe(KILL_PROCESS);
});

test('foreign architectures are passed over, a machine whose calls are unknown is refused', () => {
  const of = (...architectures: string[]) =>
    Buffer.from(compile({ defaultAction: 'SCMP_ACT_ERRNO', architectures }, 'x64').filter);
  expect(of('SCMP_ARCH_S390X', 'SCMP_ARCH_AARCH64')).toEqual(of());
  expect(() => compile({ defaultAction: 'SCMP_ACT_ALLOW' }, 'riscv64')).toThrow(
    /system calls of riscv64 are not known/,
  );
});

test('far jumps: hundreds of conditions on one call, every call with its own error', () => {
  const args = Array.from({ length: 300 }, (_, at) => at * 3);
  const { filter } = compile(
    {
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        ...args.map((value) => ({
          names: ['prctl'],
          action: 'SCMP_ACT_ALLOW' as const,
          args: [{ index: 0, value, op: 'SCMP_CMP_EQ' as const }],
        })),
        ...[...numbers('SCMP_ARCH_X86_64').keys()]
          .filter((name) => name !== 'prctl')
          .map((name, at) => ({ names: [name], action: 'SCMP_ACT_ERRNO' as const, errnoRet: at + 100 })),
      ],
    },
    'x64',
  );
  for (let value = 0; value < 1000; value++) {
    expect(run(filter, X86_64, nr('prctl'), [value])).toBe(args.includes(value) ? ALLOW : errno(1));
  }
  const names = [...numbers('SCMP_ARCH_X86_64').keys()].filter((name) => name !== 'prctl');
  for (const [at, name] of names.entries()) expect(run(filter, X86_64, nr(name)), name).toBe(errno(at + 100));
});

test('more instructions than the kernel takes are refused with a code', () => {
  const args = Array.from({ length: 1500 }, (_, value) => value);
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: args.map((value) => ({
      names: ['prctl'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
    })),
  };
  expect(() => compile(profile, 'x64')).toThrow(/the kernel takes 4096/);
});

test.each(['x64', 'arm64'])(
  'the precompiled filter for %s is that of the policy (else: node scripts/seccomp.ts)',
  (machine) => {
    const { filter } = compile(defaultPolicy(precompiledFor, nativeArchitectures(machine)), machine);
    expect(precompiled[machine]).toBe(Buffer.from(filter).toString('base64'));
  },
);

test('the usual profile is not compiled anew, nor when it was read from config.json; another one is', () => {
  const policy = defaultSeccomp([...docker, 'CAP_KILL']);
  expect(defaultSeccomp(['CAP_SYS_CHROOT'])).toBe(policy);
  const expected = Buffer.from(compile(policy).filter);
  expect(Buffer.from(compileSeccomp(policy).filter)).toEqual(expected);
  expect(Buffer.from(compileSeccomp(JSON.parse(JSON.stringify(policy)) as Seccomp).filter)).toEqual(expected);
  const other: Seccomp = { ...policy, defaultAction: 'SCMP_ACT_LOG' };
  expect(Buffer.from(compileSeccomp(other).filter)).not.toEqual(expected);
  const admin = defaultSeccomp(['CAP_SYS_CHROOT', 'CAP_SYS_ADMIN']);
  expect(Buffer.from(compileSeccomp(admin).filter)).toEqual(Buffer.from(compile(admin).filter));
});

/** Puts itself behind the filter on its input, then makes each call named there: prints errno, 0 where the call was let through. */
const prisoner = `
import ctypes, json, struct, sys
job = json.load(sys.stdin)
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(bytes.fromhex(job["filter"]))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code.raw) // 8, ctypes.addressof(code)))
answers = []
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
for number, args in job["calls"]:
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), *[ctypes.c_long(one) for one in args])
    answers.append(ctypes.get_errno())
print(json.dumps(answers))
`;
const hasPython = process.arch === 'x64' && spawnSync('python3', ['--version']).status === 0;
if (!hasPython) console.log('skipped: the real kernel is asked by a python3 process on x86-64');

test.skipIf(!hasPython)(
  'the kernel decides as the interpreter does: every refused call, and calls that turn on arguments',
  () => {
    const { filter } = compile(defaultPolicy(docker, x64), 'x64');
    const refused = Array.from({ length: 520 }, (_, number): [number, number[]] => [number, []]).filter(
      // uprobe passes every filter since Linux 6.18 (kernel/seccomp.c): only the kernel's own trampoline can use it.
      ([number]) => number !== nr('uprobe') && run(filter, X86_64, number) !== ALLOW,
    );
    const calls: [number, number[]][] = [
      ...refused,
      [0x40000000 + 165, []],
      [nr('getpid'), []],
      [nr('socket'), [1, 1, 0]],
      [nr('socket'), [38, 5, 0]],
      [nr('socket'), [40, 1, 0]],
      [nr('socket'), [0x1_0000_0028, 1, 0]],
      [nr('personality'), [0xffffffff]],
      [nr('personality'), [0x0040000]],
      [nr('clone'), [0x10000000]],
      [nr('clone3'), []],
    ];
    const job = JSON.stringify({ filter: Buffer.from(filter).toString('hex'), calls });
    const { stdout, stderr, status } = spawnSync('python3', ['-c', prisoner], { input: job, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const expected = calls.map(([number, args]) => {
      const decision = run(filter, X86_64, number, args);
      return decision === ALLOW ? 0 : decision & 0xffff;
    });
    expect(refused.length).toBeGreaterThan(100);
    expect(JSON.parse(stdout)).toEqual(expected);
  },
);

const wide = fc.oneof(fc.constantFrom(...numbersToTry), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));
const condition: fc.Arbitrary<SeccompArgument> = fc.record({
  index: fc.integer({ min: 0, max: 5 }),
  value: wide,
  valueTwo: wide,
  op: fc.constantFrom(...operators.map(([op]) => op)),
});
const calls = ['read', 'write', 'ioctl', 'prctl', 'clone', 'mount', 'openat2'];
const ruleOf: fc.Arbitrary<SeccompRule> = fc.record({
  names: fc.subarray(calls, { minLength: 1 }),
  action: fc.constantFrom<SeccompAction>('SCMP_ACT_ERRNO', 'SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_KILL_PROCESS'),
  errnoRet: fc.integer({ min: 0, max: 4095 }),
  args: fc.array(condition, { maxLength: 4 }),
});

/** The rules as the documentation of `compile` tells them, without any search or code. */
function decision(profile: Seccomp, name: string, args: bigint[]): number {
  const value = ({ action, errnoRet = 1 }: { action: SeccompAction; errnoRet?: number }) =>
    action === 'SCMP_ACT_ERRNO'
      ? 0x50000 | errnoRet
      : { SCMP_ACT_ALLOW: ALLOW, SCMP_ACT_LOG: 0x7ffc0000, SCMP_ACT_KILL_PROCESS: KILL_PROCESS }[action as string]!;
  const byDefault = value({ action: profile.defaultAction });
  const rules = profile.syscalls!.filter((one) => one.names.includes(name) && value(one) !== byDefault);
  const plain = rules.find((one) => one.args!.length === 0);
  if (plain) return value(plain);
  const holds = (one: SeccompArgument) =>
    operators.find(([op]) => op === one.op)![1](args[one.index]!, BigInt(one.value), BigInt(one.valueTwo!));
  for (const one of rules) {
    const isRepeating = new Set(one.args!.map(({ index }) => index)).size < one.args!.length;
    if (isRepeating ? one.args!.some(holds) : one.args!.every(holds)) return value(one);
  }
  return byDefault;
}

test('any profile decides as its rules say', () => {
  fc.assert(
    fc.property(
      fc.array(ruleOf, { maxLength: 12 }),
      fc.constantFrom<SeccompAction>('SCMP_ACT_ERRNO', 'SCMP_ACT_ALLOW'),
      fc.array(fc.tuple(fc.constantFrom(...calls), fc.array(wide, { minLength: 6, maxLength: 6 })), { minLength: 8 }),
      (syscalls, defaultAction, tries) => {
        // The newest call is always named, so that nothing tried is newer than the profile.
        const newest: SeccompRule = { names: ['file_setattr'], action: 'SCMP_ACT_ALLOW', args: [] };
        const profile: Seccomp = { defaultAction, syscalls: [...syscalls, newest] };
        const { filter } = compile(profile, 'x64');
        for (const [name, args] of tries) {
          expect(run(filter, X86_64, nr(name), args), name).toBe(decision(profile, name, args));
        }
      },
    ),
    { numRuns: 300 },
  );
});
