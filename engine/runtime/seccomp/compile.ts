/** linux.seccomp of a config.json becomes a classic BPF program. Source: runtime-spec config-linux.md "Seccomp", seccomp(2). */
import { StackError } from '../../../schemas/errors.ts';
import type { Seccomp, SeccompAction, SeccompArgument, SeccompRule } from '../../../schemas/oci-runtime.ts';
import { architectures, nativeArchitectures, numbers, privateBase, x32Bit } from './architectures.ts';
import {
  conditional,
  encode,
  type Instruction,
  JUMP,
  JUMP_IF_EQUAL,
  LOAD,
  maxInstructions,
  offsetOfArchitecture,
  offsetOfNumber,
  RETURN,
} from './bpf.ts';
import { multiplexer } from './multiplexed.ts';
import { actions, carriesErrno, filterFlags } from './names.ts';
import { type Piece, search } from './search.ts';

export interface SeccompProgram {
  /** `struct sock_filter[]`, eight bytes each. */
  filter: Uint8Array;
  /** SECCOMP_FILTER_FLAG_* for seccomp(2). */
  flags: number;
  /** SCMP_ACT_NOTIFY is in it: seccomp(2) returns the descriptor of a listener. */
  isNotifying: boolean;
}

const EPERM = 1;
const ENOSYS = 38;

/** From `first` on, up to the next cut: code, or a value to return. */
interface Cut {
  first: number;
  piece: Piece;
}

/** What happens to one system call: an action, or conditions tried in order before the action. */
interface Outcome {
  value: number;
  conditions: { arguments: SeccompArgument[]; value: number }[];
  /** Named, but to no effect: later rules count as the first. */
  isDefault: boolean;
}

/**
 * The rules of the profile: for one system call, a rule without conditions wins over those with; of these the first
 * that holds. Rules that do what happens by default are passed over, as every runtime does. Calls newer than the newest
 * one named get ENOSYS where the default refuses, so that C libraries fall back to older calls instead of failing. Names
 * that the architecture has not are passed over, and foreign architectures are killed.
 * @param machine Node's name of the architecture.
 * @throws host.kernel-feature where the profile needs more instructions than the kernel takes, or the machine is not known.
 */
export function compile(profile: Seccomp, machine: string = process.arch): SeccompProgram {
  const [native, ...others] = nativeArchitectures(machine);
  if (native === undefined) throw unknown(machine);
  const asked = profile.architectures ?? [];
  const wanted = [native, ...others.filter((name) => asked.includes(name))];
  const killed: Instruction = [RETURN, 0, 0, actions.SCMP_ACT_KILL_PROCESS];

  const program: Instruction[] = [[LOAD, 0, 0, offsetOfArchitecture]];
  for (const name of wanted.filter((other) => other !== 'SCMP_ARCH_X32')) {
    const cuts = intervals(profile, name);
    if (name === 'SCMP_ARCH_X86_64') {
      if (wanted.includes('SCMP_ARCH_X32')) cuts.push(...intervals(profile, 'SCMP_ARCH_X32'));
      else cuts.push({ first: x32Bit, piece: actions.SCMP_ACT_KILL_PROCESS });
    }
    const section: Instruction[] = [[LOAD, 0, 0, offsetOfNumber], ...search(cuts)];
    // The next section loads nothing: the architecture is still in the accumulator when the test fails.
    program.push([JUMP_IF_EQUAL, 1, 0, architectures[name]!.audit], [JUMP, 0, 0, section.length], ...section);
  }
  program.push(killed);

  if (program.length > maxInstructions) {
    throw new StackError('host.kernel-feature', {
      message: `the seccomp profile needs ${program.length} instructions, the kernel takes ${maxInstructions}`,
      hint: 'Give the profile fewer conditions on arguments.',
      operation: 'seccomp',
    });
  }
  const isNotifying = profile.syscalls?.some(({ action }) => action === 'SCMP_ACT_NOTIFY') ?? false;
  return { filter: encode(program), flags: filterFlags(profile.flags ?? [], isNotifying), isNotifying };
}

function unknown(machine: string): StackError {
  return new StackError('host.kernel-feature', {
    message: `seccomp: the system calls of ${machine} are not known to Stack`,
    hint: 'Run the container without a profile: security_opt seccomp=unconfined, or no linux.seccomp in config.json.',
    operation: 'seccomp',
  });
}

function returned(action: SeccompAction, errno: number | undefined): number {
  return (actions[action] | (carriesErrno(action) ? (errno ?? EPERM) & 0xffff : 0)) >>> 0;
}

/** What happens to the calls of one architecture, by number without `base`; conditions are to be met in order. */
function outcomesOf(profile: Seccomp, name: string, fallback: number): Map<number, Outcome> {
  const table = numbers(name);
  const outcomes = new Map<number, Outcome>();
  const add = (at: number | undefined, alternatives: SeccompArgument[][], value: number) => {
    if (at === undefined) return;
    const present = outcomes.get(at);
    if (value === fallback) {
      if (!present) outcomes.set(at, { value, conditions: [], isDefault: true });
    } else if (alternatives.length > 0) {
      const conditions = alternatives.map((list) => ({ arguments: list, value }));
      if (!present || present.isDefault) outcomes.set(at, { value: fallback, conditions, isDefault: false });
      else if (present.conditions.length > 0) present.conditions.push(...conditions);
    } else if (!present || present.isDefault || present.conditions.length > 0) {
      outcomes.set(at, { value, conditions: [], isDefault: false });
    }
  };
  for (const rule of profile.syscalls ?? []) {
    const value = returned(rule.action, rule.errnoRet);
    const alternatives = conditionsOf(rule);
    for (const syscall of rule.names) {
      add(table.get(syscall), alternatives, value);
      const other = name === 'SCMP_ARCH_X86' ? multiplexer(syscall) : undefined;
      if (!other) continue;
      const rest = alternatives.map((list) => list.filter(({ index }) => index !== 0));
      const selected = rest.length > 0 ? rest.map((list) => [other.selector, ...list]) : [[other.selector]];
      add(table.get(other.name), selected, value);
    }
  }
  return outcomes;
}

/** The line of numbers cut where what happens changes, ascending. */
function intervals(profile: Seccomp, name: string): Cut[] {
  const { base, isWide } = architectures[name]!;
  const fallback = returned(profile.defaultAction, profile.defaultErrnoRet);
  const outcomes = outcomesOf(profile, name, fallback);
  // A tracer is trusted to know new calls, and those who are let through need no help.
  const isRefusing = !['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'].includes(profile.defaultAction);
  const beyond = isRefusing ? (actions.SCMP_ACT_ERRNO | ENOSYS) >>> 0 : fallback;
  const cuts: Cut[] = [];
  let previous: number | undefined;
  const cut = (at: number, value: number) => {
    if (value !== previous) cuts.push({ first: base + at, piece: value });
    previous = value;
  };
  cut(0, fallback);
  const named = [...outcomes.keys()].sort((a, b) => a - b);
  const newest = named.findLast((at) => at < privateBase) ?? -1;
  let next = 0;
  for (const at of named) {
    if (at >= privateBase && next < privateBase) {
      cut(newest + 1, beyond);
      next = privateBase;
      cut(next, fallback);
    }
    if (at > next) cut(next, fallback);
    const { value, conditions } = outcomes.get(at)!;
    if (conditions.length > 0) {
      const parts = conditions.flatMap((one) => conditional(one.arguments, isWide, one.value));
      cuts.push({ first: base + at, piece: [...parts, [RETURN, 0, 0, value]] });
      previous = undefined;
    } else cut(at, value);
    next = at + 1;
  }
  cut(next, beyond);
  return cuts[1]?.first === cuts[0]!.first ? cuts.slice(1) : cuts;
}

/** Alternatives of one rule: conditions that repeat an argument stand for a rule each. Empty where there is none. */
function conditionsOf(rule: SeccompRule): SeccompArgument[][] {
  const all = rule.args ?? [];
  if (all.length === 0) return [];
  const isRepeating = new Set(all.map((one) => one.index)).size < all.length;
  return isRepeating ? all.map((one) => [one]) : [all];
}
