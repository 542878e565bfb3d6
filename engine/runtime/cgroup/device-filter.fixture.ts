/** An interpreter for the device filter's program. */
import type { DeviceRule } from '../../../schemas/oci-runtime.ts';
import { deviceFilter } from './device-filter.ts';

/** Runs the few instructions the filter is made of. */
export function decide(rules: DeviceRule[], type: 'b' | 'c', major: number, minor: number, access: string): boolean {
  const bits = [...access].reduce((sum, letter) => sum | { m: 1, r: 2, w: 4 }[letter]!, 0);
  const context = [(bits << 16) | (type === 'b' ? 1 : 2), major, minor];
  const code = deviceFilter(rules);
  const view = new DataView(code.buffer);
  const registers = new Array<number>(11).fill(0);
  for (let pc = 0; ; pc++) {
    const op = view.getUint8(pc * 8);
    const to = view.getUint8(pc * 8 + 1) & 15;
    const from = view.getUint8(pc * 8 + 1) >> 4;
    const offset = view.getInt16(pc * 8 + 2, true);
    const k = view.getInt32(pc * 8 + 4, true);
    if (op === 0x61) registers[to] = context[offset / 4]!;
    else if (op === 0xbc) registers[to] = registers[from]!;
    else if (op === 0xb7) registers[to] = k;
    else if (op === 0x54) registers[to]! &= k;
    else if (op === 0x74) registers[to]! >>>= k;
    else if (op === 0x56) pc += registers[to] !== k ? offset : 0;
    else if (op === 0x16) pc += registers[to] === k ? offset : 0;
    else if (op === 0x95) return registers[0] === 1;
    else throw new Error(`instruction ${pc}: unknown code ${op}`);
  }
}
