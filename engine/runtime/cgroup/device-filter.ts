/**
 * Device rules as an eBPF program for cgroup v2, which has no files for them.
 * Source: linux/bpf.h (struct bpf_cgroup_dev_ctx, struct bpf_insn), the kernel's admin-guide/cgroup-v2 "Device controller".
 */
import type { DeviceRule } from '../../../schemas/oci-runtime.ts';

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
 * The last rule that speaks of a device decides, as the list of v1 would; without one the answer is no. A rule that
 * allows must grant all that is asked for at once; one that denies needs to name any of it.
 */
export function deviceFilter(rules: DeviceRule[]): Uint8Array {
  const program: Instruction[] = [
    [LOAD_WORD, type, context, 0, 0],
    [MOVE_REGISTER_32, access, type, 0, 0],
    [AND_32, type, 0, 0, 0xffff],
    [SHIFT_RIGHT_32, access, 0, 0, 16],
    [LOAD_WORD, major, context, 4, 0],
    [LOAD_WORD, minor, context, 8, 0],
  ];
  // What a rule for every device overrules must not be there: the verifier refuses code that is never reached.
  const first = rules.findLastIndex((rule) => !isTyped(rule));
  for (const rule of rules.slice(Math.max(first, 0)).reverse()) program.push(...ruleCode(rule));
  if (first < 0) program.push([MOVE, result, 0, 0, 0], [EXIT, 0, 0, 0, 0]);
  return encode(program);
}

/** Without a type a rule is for every device, whatever else it says. */
const isTyped = (rule: DeviceRule): rule is DeviceRule & { type: 'b' | 'c' } => rule.type === 'b' || rule.type === 'c';

/** Answers, or goes on behind its end. */
function ruleCode(rule: DeviceRule): Instruction[] {
  const bits = [...(rule.access || 'rwm')].reduce((sum, letter) => sum | accessBits[letter as 'r' | 'w' | 'm'], 0);
  const tests: Instruction[] = [];
  const mustBe = (register: number, value: number) => tests.push([JUMP_IF_NOT_EQUAL_32, register, 0, 0, value]);
  if (isTyped(rule)) {
    mustBe(type, typeNumbers[rule.type]);
    if (bits !== everyAccess) {
      tests.push([MOVE_REGISTER_32, scratch, access, 0, 0]);
      // What is left of the request: beyond the grant, or within the refusal.
      tests.push([AND_32, scratch, 0, 0, rule.allow ? everyAccess & ~bits : bits]);
      tests.push([rule.allow ? JUMP_IF_NOT_EQUAL_32 : JUMP_IF_EQUAL_32, scratch, 0, 0, 0]);
    }
    if (rule.major !== undefined && rule.major >= 0) mustBe(major, rule.major);
    if (rule.minor !== undefined && rule.minor >= 0) mustBe(minor, rule.minor);
  }
  const answer: Instruction[] = [
    [MOVE, result, 0, 0, rule.allow ? 1 : 0],
    [EXIT, 0, 0, 0, 0],
  ];
  const length = tests.length + answer.length;
  for (const [at, test] of tests.entries()) if ((test[0] & 0x07) === classOfJumps) test[3] = length - at - 1;
  return [...tests, ...answer];
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
