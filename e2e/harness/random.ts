/** Chance that can be repeated: the seed of a test is printed, and `STACK_CRASH_SEED` gives it again. */

export const seed = Number(process.env.STACK_CRASH_SEED ?? Date.now() % 1_000_000);

/** Rounds of a test of chance: few for everybody's run, `STACK_CRASH_ROUNDS` for a long one. */
export const rounds = (usual: number): number => Number(process.env.STACK_CRASH_ROUNDS ?? usual);

/** Numbers from 0 to 1 out of mulberry32: small, and the same everywhere. */
export function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
