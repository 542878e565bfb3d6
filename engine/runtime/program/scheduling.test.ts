import { expect, test } from 'vitest';
import type { Process } from '../../../schemas/oci-runtime.ts';
import { affinityStep, listMask, memoryPolicySteps, rlimitSteps, schedulingSteps } from './scheduling.ts';

const hex = (bytes: unknown) => Buffer.from(bytes as Uint8Array).toString('hex');
const process = (over: Partial<Process>): Process => ({ cwd: '/', ...over });

test.each([
  ['0', '0100000000000000'],
  ['0-3,7', '8f00000000000000'],
  [' 1 , 2-2 ', '0600000000000000'],
  ['63', '0000000000000080'],
  ['64', '0000000000000000' + '0100000000000000'],
  ['1023', `${'00'.repeat(127)}80`],
])('the list %j as a mask of whole words', (list, mask) => {
  expect(hex(listMask(list, 'x'))).toBe(mask);
});

test.each(['', '-1', '3-1', '1024', '0-2000', '1,,2', 'a', '0x1', '1-2-3'])('no list: %j', (list) => {
  expect(() => listMask(list, 'linux.x')).toThrow(
    expect.objectContaining({ code: 'config.value', resource: 'linux.x' }),
  );
});

test('an affinity is a step where it is set', () => {
  expect(affinityStep(undefined, 'initial')).toEqual([]);
  const [[name, mask]] = affinityStep('1', 'initial') as [[string, Uint8Array]];
  expect([name, hex(mask)]).toEqual(['affinity', '0200000000000000']);
  expect(() => affinityStep('x', 'final')).toThrow('process.execCPUAffinity.final');
});

/** sched_setattr(2): size, policy, flags, nice, priority, runtime, deadline, period. */
test.each([
  [
    { policy: 'SCHED_OTHER', nice: -5 },
    ['30000000', '00000000', '0'.repeat(16), 'fbffffff', '00000000', '0'.repeat(48)],
  ],
  [
    { policy: 'SCHED_RR', priority: 7, flags: ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_KEEP_POLICY'] },
    ['30000000', '02000000', '0900000000000000', '00000000', '07000000', '0'.repeat(48)],
  ],
  [
    { policy: 'SCHED_DEADLINE', runtime: 10_000, deadline: 2 ** 40, period: 0x0102 },
    [
      ...['30000000', '06000000', '0'.repeat(16), '00000000', '00000000'],
      ...['1027000000000000', '0000000000010000', '0201000000000000'],
    ],
  ],
] as [NonNullable<Process['scheduler']>, string[]][])('the bytes of %j', (scheduler, fields) => {
  const [[name, bytes]] = schedulingSteps(process({ scheduler })) as [[string, Uint8Array]];
  expect(name).toBe('scheduler');
  expect(hex(bytes)).toBe(fields.join(''));
});

test.each([
  ['SCHED_OTHER', 0],
  ['SCHED_FIFO', 1],
  ['SCHED_RR', 2],
  ['SCHED_BATCH', 3],
  ['SCHED_ISO', 4],
  ['SCHED_IDLE', 5],
  ['SCHED_DEADLINE', 6],
] as const)('%s is %i', (policy, number) => {
  const [[, bytes]] = schedulingSteps(process({ scheduler: { policy } })) as [[string, Uint8Array]];
  expect(Buffer.from(bytes).readUInt32LE(4)).toBe(number);
});

test.each([
  ['IOPRIO_CLASS_RT', 3, (1 << 13) | 3],
  ['IOPRIO_CLASS_BE', undefined, 2 << 13],
  ['IOPRIO_CLASS_IDLE', 0, 3 << 13],
] as const)('ioprio_set(2): %s with %s', (name, priority, value) => {
  const ioPriority = priority === undefined ? { class: name } : { class: name, priority };
  expect(schedulingSteps(process({ ioPriority }))).toEqual([['ioPriority', value]]);
});

test('the priority of input and output goes before the scheduler, which may take the right to set it', () => {
  const both = process({ scheduler: { policy: 'SCHED_IDLE' }, ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 1 } });
  expect(schedulingSteps(both).map(([name]) => name)).toEqual(['ioPriority', 'scheduler']);
  expect(schedulingSteps(process({}))).toEqual([]);
});

test('set_mempolicy(2): mode with its flags, and the nodes', () => {
  expect(memoryPolicySteps(undefined)).toEqual([]);
  const [[name, mode, nodes]] = memoryPolicySteps({
    mode: 'MPOL_BIND',
    nodes: '0-1',
    flags: ['MPOL_F_STATIC_NODES', 'MPOL_F_NUMA_BALANCING'],
  }) as [[string, number, Uint8Array]];
  expect([name, mode, hex(nodes)]).toEqual(['memoryPolicy', 2 | (1 << 15) | (1 << 13), '0300000000000000']);
  const modes = [
    'DEFAULT',
    'PREFERRED',
    'BIND',
    'INTERLEAVE',
    'LOCAL',
    'PREFERRED_MANY',
    'WEIGHTED_INTERLEAVE',
  ] as const;
  expect(modes.map((one) => memoryPolicySteps({ mode: `MPOL_${one}` })[0]![1])).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(memoryPolicySteps({ mode: 'MPOL_LOCAL' })[0]![2]).toEqual(new Uint8Array());
  expect(() => memoryPolicySteps({ mode: 'MPOL_BIND', nodes: 'x' })).toThrow('linux.memoryPolicy.nodes');
});

test('resource limits by number, 64 bits wide', () => {
  const rlimits = [
    { type: 'RLIMIT_CPU', soft: 1, hard: 2 },
    { type: 'RLIMIT_NOFILE', soft: 1, hard: 2n ** 64n - 1n },
    { type: 'RLIMIT_RTTIME', soft: 0, hard: 0 },
  ];
  expect(rlimitSteps(process({ rlimits }))).toEqual([
    ['rlimit', 0, { u64: 1 }, { u64: 2 }, 'RLIMIT_CPU'],
    ['rlimit', 7, { u64: 1 }, { u64: 2n ** 64n - 1n }, 'RLIMIT_NOFILE'],
    ['rlimit', 15, { u64: 0 }, { u64: 0 }, 'RLIMIT_RTTIME'],
  ]);
});
