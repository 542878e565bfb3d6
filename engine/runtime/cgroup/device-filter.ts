/**
 * Device rules as an eBPF program for cgroup v2, which has no files for them.
 * Source: linux/bpf.h (struct bpf_cgroup_dev_ctx, struct bpf_insn), the kernel's admin-guide/cgroup-v2 "Device controller".
 */
import type { DeviceRule } from '../../../schemas/oci-runtime.ts';
import { accessOf, isForAll } from './device-list.ts';

/** `struct bpf_insn`: code, destination and source register, offset, immediate. */
type Instruction = [code: number, destination: number, source: number, offset: number, immediate: number];

const LOAD_WORD = 0x61;
const MOVE_REGISTER_32 = 0xbc;
const MOVE = 0xb7;
const AND_32 = 0x54;
const SHIFT_RIGHT_32 = 0x74;
const JUMP_IF_NOT_EQUAL_32 = 0x56;
const JUMP_IF_EQUAL_32 = 0x16;
const EXIT = 0x95;
const classOfJumps = 0x06;

const [result, context, type, access, major, minor, scratch] = [0, 1, 3, 2, 4, 5, 6];
const typeNumbers = { b: 1, c: 2 } as const;
const accessBits = { m: 1, r: 2, w: 4 } as const;
const everyAccess = 7;

/**
 * Each access right of a device is decided by the last rule that speaks of it; without one it is refused. A request is
 * allowed where all that it asks for is. That is what v1's list does, which takes exceptions from wildcards besides.
 */
export function deviceFilter(rules: DeviceRule[]): Uint8Array {
  const program: Instruction[] = [
    [LOAD_WORD, type, context, 0, 0],
    [MOVE_REGISTER_32, access, type, 0, 0],
    [AND_32, type, 0, 0, 0xffff],
    [SHIFT_RIGHT_32, access, 0, 0, 16],
    [AND_32, access, 0, 0, everyAccess],
    [LOAD_WORD, major, context, 4, 0],
    [LOAD_WORD, minor, context, 8, 0],
  ];
  // What a rule for everything overrules must not be there: the verifier refuses code that is never reached.
  const first = rules.findLastIndex(isForAll);
  const isOpen = first >= 0 && rules[first]!.allow;
  const spoken = rules.slice(first + 1).reverse();
  for (const rule of spoken.flatMap(typed)) program.push(...ruleCode(rule));
  program.push([MOVE, result, 0, 0, isOpen ? 1 : 0], [EXIT, 0, 0, 0, 0]);
  return encode(program);
}

type TypedRule = DeviceRule & { type: 'b' | 'c' };

/** A rule of type `a` with numbers of its own is one for both types. */
const typed = (rule: DeviceRule): TypedRule[] =>
  (rule.type === 'b' || rule.type === 'c' ? [rule.type] : (['b', 'c'] as const)).map((type) => ({ ...rule, type }));

/** What was asked for and is not decided yet is in the register `access`. Answers, or goes on behind its end. */
function ruleCode(rule: TypedRule): Instruction[] {
  const bits = [...accessOf(rule)].reduce((sum, letter) => sum | accessBits[letter as 'r' | 'w' | 'm'], 0);
  const code: Instruction[] = [[JUMP_IF_NOT_EQUAL_32, type, 0, 0, typeNumbers[rule.type]]];
  if (rule.major !== undefined && rule.major >= 0) code.push([JUMP_IF_NOT_EQUAL_32, major, 0, 0, rule.major]);
  if (rule.minor !== undefined && rule.minor >= 0) code.push([JUMP_IF_NOT_EQUAL_32, minor, 0, 0, rule.minor]);
  if (rule.allow) {
    code.push([AND_32, access, 0, 0, everyAccess & ~bits], [JUMP_IF_NOT_EQUAL_32, access, 0, 0, 0]);
  } else {
    code.push([MOVE_REGISTER_32, scratch, access, 0, 0], [AND_32, scratch, 0, 0, bits]);
    code.push([JUMP_IF_EQUAL_32, scratch, 0, 0, 0]);
  }
  code.push([MOVE, result, 0, 0, rule.allow ? 1 : 0], [EXIT, 0, 0, 0, 0]);
  for (const [at, one] of code.entries()) {
    if ((one[0] & 0x07) === classOfJumps && one[0] !== EXIT) one[3] = code.length - at - 1;
  }
  return code;
}

/** In memory order of a little-endian machine. */
function encode(program: Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(program.length * 8));
  for (const [at, [code, destination, source, offset, immediate]] of program.entries()) {
    view.setUint8(at * 8, code);
    view.setUint8(at * 8 + 1, destination | (source << 4));
    view.setInt16(at * 8 + 2, offset, true);
    view.setInt32(at * 8 + 4, immediate, true);
  }
  return new Uint8Array(view.buffer);
}
