/**
 * Classic BPF as seccomp runs it: instructions, and conditions on system call arguments.
 * Source: linux/filter.h, linux/bpf_common.h, linux/seccomp.h, seccomp(2).
 */
import type { SeccompArgument } from '../../../schemas/oci-runtime.ts';

/** `struct sock_filter`: code, jump if true, jump if false, operand. */
export type Instruction = [code: number, jt: number, jf: number, k: number];

export const LOAD = 0x20;
export const RETURN = 0x06;
export const JUMP = 0x05;
export const JUMP_IF_EQUAL = 0x15;
export const JUMP_IF_GREATER = 0x25;
export const JUMP_IF_GREATER_OR_EQUAL = 0x35;
export const AND = 0x54;

/** Offsets in `struct seccomp_data`. */
export const offsetOfNumber = 0;
export const offsetOfArchitecture = 4;
const offsetOfArgument = (index: number) => 16 + index * 8;

/** linux/bpf_common.h: BPF_MAXINSNS. */
export const maxInstructions = 4096;

const unresolvedPass = -1;
const unresolvedFail = -2;

/**
 * Code that returns `value` where every condition holds, and otherwise goes on behind its end.
 * @param isWide false compares the low 32 bits alone, as callers of a 32-bit ABI can set nothing else.
 */
export function conditional(conditions: SeccompArgument[], isWide: boolean, value: number): Instruction[] {
  const code: Instruction[] = [];
  for (const condition of conditions) {
    const part = compare(condition, isWide);
    const passes = code.length + part.length;
    for (const [at, instruction] of part.entries()) {
      const here = code.length + at + 1;
      if (instruction[1] === unresolvedPass) instruction[1] = passes - here;
      if (instruction[2] === unresolvedPass) instruction[2] = passes - here;
    }
    code.push(...part);
  }
  code.push([RETURN, 0, 0, value]);
  for (const [at, instruction] of code.entries()) {
    if (instruction[1] === unresolvedFail) instruction[1] = code.length - at - 1;
    if (instruction[2] === unresolvedFail) instruction[2] = code.length - at - 1;
  }
  return code;
}

const mask32 = 0xffff_ffffn;

/** One comparison, its ends unresolved. Arguments are unsigned 64-bit numbers, tested a half at a time: BPF knows 32 bits. */
function compare(condition: SeccompArgument, isWide: boolean): Instruction[] {
  const value = BigInt.asUintN(64, BigInt(condition.value));
  const high: Instruction = [LOAD, 0, 0, offsetOfArgument(condition.index) + 4];
  const low: Instruction = [LOAD, 0, 0, offsetOfArgument(condition.index)];
  const vh = Number(value >> 32n);
  const vl = Number(value & mask32);
  const [pass, fail, next] = [unresolvedPass, unresolvedFail, 0];
  switch (condition.op) {
    case 'SCMP_CMP_EQ':
      return [...(isWide ? [high, jump(JUMP_IF_EQUAL, vh, next, fail)] : []), low, jump(JUMP_IF_EQUAL, vl, pass, fail)];
    case 'SCMP_CMP_NE':
      return [...(isWide ? [high, jump(JUMP_IF_EQUAL, vh, next, pass)] : []), low, jump(JUMP_IF_EQUAL, vl, fail, pass)];
    case 'SCMP_CMP_GE':
      return ordered(JUMP_IF_GREATER_OR_EQUAL, pass, fail);
    case 'SCMP_CMP_GT':
      return ordered(JUMP_IF_GREATER, pass, fail);
    case 'SCMP_CMP_LT':
      return ordered(JUMP_IF_GREATER_OR_EQUAL, fail, pass);
    case 'SCMP_CMP_LE':
      return ordered(JUMP_IF_GREATER, fail, pass);
    case 'SCMP_CMP_MASKED_EQ': {
      const wanted = BigInt.asUintN(64, BigInt(condition.valueTwo ?? 0)) & value;
      const half = (load: Instruction, mask: number, datum: number, then: number): Instruction[] =>
        mask === 0 ? [] : [load, [AND, 0, 0, mask], jump(JUMP_IF_EQUAL, datum, then, fail)];
      const code = [
        ...(isWide ? half(high, vh, Number(wanted >> 32n), next) : []),
        ...half(low, vl, Number(wanted & mask32), pass),
      ];
      return code;
    }
  }

  function ordered(op: number, above: number, below: number): Instruction[] {
    const wide = [high, jump(JUMP_IF_GREATER, vh, above, next), jump(JUMP_IF_EQUAL, vh, next, below)];
    return [...(isWide ? wide : []), low, jump(op, vl, above, below)];
  }
}

const jump = (code: number, k: number, jt: number, jf: number): Instruction => [code, jt, jf, k];

/** `struct sock_filter[]` in memory order of a little-endian machine. */
export function encode(program: Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [at, [code, jt, jf, k]] of program.entries()) {
    view.setUint16(at * 8, code, true);
    view.setUint8(at * 8 + 2, jt);
    view.setUint8(at * 8 + 3, jf);
    view.setUint32(at * 8 + 4, k >>> 0, true);
  }
  return bytes;
}
