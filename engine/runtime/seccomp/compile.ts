/** linux.seccomp of a config.json becomes a classic BPF program. Source: runtime-spec config-linux.md "Seccomp", seccomp(2). */
import { StackError } from '../../../schemas/errors.ts';
import type { Seccomp, SeccompAction, SeccompArgument, SeccompRule } from '../../../schemas/oci-runtime.ts';
import { architectures, nativeArchitectures, numbers, x32Bit } from './architectures.ts';
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
import { type Piece, search } from './search.ts';

export interface SeccompProgram {
  /** `struct sock_filter[]`, eight bytes each. */
  filter: Uint8Array;
  /** SECCOMP_FILTER_FLAG_* for seccomp(2). */
  flags: number;
}

/** SECCOMP_RET_* of linux/seccomp.h. */
const actions: Record<SeccompAction, number> = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};
const flagBits = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
};
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
}

/**
 * The rules of the profile: for one system call, a rule without conditions wins over those with; of these the first
 * that holds. Calls newer than the newest one named get ENOSYS where the default refuses, so that C libraries fall
 * back to older calls instead of failing. Names that the architecture has not are passed over, and foreign
 * architectures are killed.
 * @param machine Node's name of the architecture.
 * @throws host.kernel-feature where the profile needs more instructions than the kernel takes.
 */
export function compile(profile: Seccomp, machine: string = process.arch): SeccompProgram {
  const [native, ...others] = nativeArchitectures(machine);
  const asked = profile.architectures ?? [];
  const wanted = [native, ...others.filter((name) => asked.includes(name))].filter((name) => name !== undefined);
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
  const flags = (profile.flags ?? []).reduce((bits, flag) => bits | flagBits[flag], 0);
  return { filter: encode(program), flags };
}

function returned(action: SeccompAction, errno: number | undefined): number {
  const carries = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return (actions[action] | (carries ? (errno ?? EPERM) & 0xffff : 0)) >>> 0;
}

/** The line of numbers cut where what happens changes, ascending. */
function intervals(profile: Seccomp, name: string): Cut[] {
  const { base, isWide } = architectures[name]!;
  const table = numbers(name);
  const fallback = returned(profile.defaultAction, profile.defaultErrnoRet);
  const outcomes: Outcome[] = [];
  for (const rule of profile.syscalls ?? []) {
    const value = returned(rule.action, rule.errnoRet);
    const alternatives = conditionsOf(rule);
    for (const syscall of rule.names) {
      const at = table.get(syscall);
      if (at === undefined) continue;
      const present = outcomes[at];
      if (alternatives.length > 0) {
        const conditions = alternatives.map((list) => ({ arguments: list, value }));
        if (!present) outcomes[at] = { value: fallback, conditions };
        else if (present.conditions.length > 0) present.conditions.push(...conditions);
      } else if (!present || present.conditions.length > 0) {
        outcomes[at] = { value, conditions: [] };
      }
    }
  }

  const isRefusing = profile.defaultAction !== 'SCMP_ACT_ALLOW' && profile.defaultAction !== 'SCMP_ACT_LOG';
  const beyond = isRefusing ? (actions.SCMP_ACT_ERRNO | ENOSYS) >>> 0 : fallback;
  const cuts: Cut[] = [];
  let previous: number | undefined;
  for (let at = 0; at <= outcomes.length; at++) {
    const outcome = outcomes[at];
    const value = outcome?.value ?? (at === outcomes.length ? beyond : fallback);
    if (outcome && outcome.conditions.length > 0) {
      const parts = outcome.conditions.flatMap((one) => conditional(one.arguments, isWide, one.value));
      cuts.push({ first: base + at, piece: [...parts, [RETURN, 0, 0, value]] });
      previous = undefined;
    } else if (value !== previous) {
      cuts.push({ first: base + at, piece: value });
      previous = value;
    }
  }
  return cuts;
}

/** Alternatives of one rule: conditions that repeat an argument stand for a rule each. Empty where there is none. */
function conditionsOf(rule: SeccompRule): SeccompArgument[][] {
  const all = rule.args ?? [];
  if (all.length === 0) return [];
  const isRepeating = new Set(all.map((one) => one.index)).size < all.length;
  return isRepeating ? all.map((one) => [one]) : [all];
}
