/** Finds what happens to a number with as few instructions as a balanced search takes. */
import { type Instruction, JUMP, JUMP_IF_GREATER_OR_EQUAL, RETURN } from './bpf.ts';

/** A value to return, or code that ends in returns. */
export type Piece = number | Instruction[];

/** Distances below zero stand for returns that {@link close} is still to place: -1 - index in the list of values. */
type Pending = { code: Instruction[]; values: number[] };

/** How far a conditional jump reaches: its distances are bytes. */
const reach = 255;

/**
 * A search over cuts of the line of numbers, ascending, with the number in the accumulator. The first cut also covers
 * what lies before it. Returns of the same value are shared as far as jumps reach.
 */
export function search(cuts: { first: number; piece: Piece }[]): Instruction[] {
  const values: number[] = [];
  const whole = tree(0, cuts.length);
  return typeof whole === 'number' ? [[RETURN, 0, 0, whole]] : close({ code: whole, values });

  function tree(from: number, to: number): Piece {
    if (to - from === 1) return cuts[from]!.piece;
    const middle = (from + to) >> 1;
    return branch(cuts[middle]!.first, tree(from, middle), tree(middle, to));
  }

  function branch(k: number, below: Piece, above: Piece): Instruction[] {
    const size = (typeof below === 'number' ? 0 : below.length) + (typeof above === 'number' ? 0 : above.length);
    if (size + values.length + 2 < reach) {
      if (typeof below === 'number') {
        const jt = typeof above === 'number' ? pending(above) : 0;
        return [[JUMP_IF_GREATER_OR_EQUAL, jt, pending(below), k], ...(typeof above === 'number' ? [] : above)];
      }
      const jt = typeof above === 'number' ? pending(above) : below.length;
      return [[JUMP_IF_GREATER_OR_EQUAL, jt, 0, k], ...below, ...(typeof above === 'number' ? [] : above)];
    }
    const first = finish(below);
    const second = finish(above);
    if (first.length <= 255) return [[JUMP_IF_GREATER_OR_EQUAL, first.length, 0, k], ...first, ...second];
    return [[JUMP_IF_GREATER_OR_EQUAL, 0, 1, k], [JUMP, 0, 0, first.length], ...first, ...second];
  }

  function finish(piece: Piece): Instruction[] {
    return typeof piece === 'number' ? [[RETURN, 0, 0, piece]] : close({ code: piece, values });
  }

  function pending(value: number): number {
    const at = values.indexOf(value);
    return -1 - (at < 0 ? values.push(value) - 1 : at);
  }
}

/** The code with the returns behind it that its jumps ask for. */
function close({ code, values }: Pending): Instruction[] {
  const placed = new Map<number, number>();
  const tail: Instruction[] = [];
  const distance = (jump: number, at: number) => {
    if (jump >= 0) return jump;
    if (!placed.has(jump)) placed.set(jump, code.length + tail.push([RETURN, 0, 0, values[-1 - jump]!]) - 1);
    return placed.get(jump)! - at - 1;
  };
  const whole = code.map(([op, jt, jf, k], at): Instruction => [op, distance(jt, at), distance(jf, at), k]);
  return [...whole, ...tail];
}
