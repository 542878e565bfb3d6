/**
 * Tokens of path patterns and their matching, without backtracking: all positions of the pattern that are possible go
 * along the path at once. Source: moby patternmatcher; Go's path/filepath Match.
 */

export type Token =
  | { type: 'char'; char: string }
  /** One character but `/`. */
  | { type: 'any' }
  /** Any characters but `/`. */
  | { type: 'star' }
  /** Any characters. */
  | { type: 'all' }
  /** Nothing, or any characters and a `/`: two tokens, `directories` is left only by `/`. */
  | { type: 'directories' }
  | { type: 'class'; negated: boolean; ranges: [string, string][]; slash: boolean }
  /** The beginning of the path, which a `^` in the middle never is. */
  | { type: 'start' };

/** Where a pattern can be in after part of a path: indexes of tokens, the number of tokens for "at the end". */
export type Positions = Set<number>;

/** Positions before the first character. */
export function begin(tokens: Token[]): Positions {
  const positions: Positions = new Set();
  enter(tokens, positions, 0, true);
  return positions;
}

function enter(tokens: Token[], positions: Positions, from: number, atStart = false): void {
  for (let index = from; !positions.has(index); index++) {
    const type = tokens[index]?.type;
    if (type === 'start') {
      if (!atStart) return;
      continue;
    }
    positions.add(index);
    if (type !== 'star' && type !== 'all' && type !== 'directories') return;
  }
}

/** Positions after one more character. */
export function advance(tokens: Token[], positions: Positions, char: string): Positions {
  const next: Positions = new Set();
  for (const index of positions) {
    const token = tokens[index];
    if (!token) continue;
    if (token.type === 'char') {
      if (token.char === char) enter(tokens, next, index + 1);
    } else if (token.type === 'any') {
      if (char !== '/') enter(tokens, next, index + 1);
    } else if (token.type === 'star') {
      if (char !== '/') enter(tokens, next, index);
    } else if (token.type === 'all') enter(tokens, next, index);
    else if (token.type === 'directories') {
      // Inside it, only a slash leads on; its beginning already counted as "nothing".
      next.add(-index - 1);
      if (char === '/') enter(tokens, next, index + 1);
    } else if (token.type === 'class') {
      const isIn = token.ranges.some(([low, high]) => low <= char && char <= high);
      if (isIn !== token.negated && (token.slash || char !== '/')) enter(tokens, next, index + 1);
    }
  }
  for (const inside of positions) {
    if (inside >= 0) continue;
    next.add(inside);
    if (char === '/') enter(tokens, next, -inside);
  }
  return next;
}

export function advanceAll(tokens: Token[], positions: Positions, text: string): Positions {
  let now = positions;
  for (const char of text) {
    if (now.size === 0) break;
    now = advance(tokens, now, char);
  }
  return now;
}

/** Whether the whole of `text` matches. */
export function matchesTokens(tokens: Token[], text: string): boolean {
  return advanceAll(tokens, begin(tokens), text).has(tokens.length);
}

/** Reads a `[…]` whose bracket stands at `at`; undefined where it is malformed, as Match's ErrBadPattern. */
export function readClass(characters: string[], at: number, slash: boolean): { token: Token; end: number } | undefined {
  let index = at + 1;
  const negated = characters[index] === '^';
  if (negated) index++;
  const ranges: [string, string][] = [];
  const one = (): string | undefined => {
    let char = characters[index];
    if (char === undefined || char === '-' || char === ']') return undefined;
    if (char === '\\') char = characters[++index];
    index++;
    return char;
  };
  for (;;) {
    if (characters[index] === ']' && ranges.length > 0) break;
    const low = one();
    if (low === undefined) return undefined;
    let high: string | undefined = low;
    if (characters[index] === '-') {
      index++;
      high = one();
    }
    if (high === undefined || index >= characters.length) return undefined;
    ranges.push([low, high]);
  }
  return { token: { type: 'class', negated, ranges, slash }, end: index + 1 };
}

/**
 * Tokens of a pattern of filepath.Match, in which nothing matches `/` but itself: COPY's wildcards.
 * Undefined where the pattern is malformed.
 */
export function globTokens(pattern: string): Token[] | undefined {
  const tokens: Token[] = [];
  const characters = [...pattern];
  for (let at = 0; at < characters.length; ) {
    const char = characters[at]!;
    if (char === '[') {
      const read = readClass(characters, at, false);
      if (!read) return undefined;
      tokens.push(read.token);
      at = read.end;
    } else {
      if (char === '*') tokens.push({ type: 'star' });
      else if (char === '?') tokens.push({ type: 'any' });
      else if (char === '\\') {
        if (++at >= characters.length) return undefined;
        tokens.push({ type: 'char', char: characters[at]! });
      } else tokens.push({ type: 'char', char });
      at++;
    }
  }
  return tokens;
}

/** filepath.Match. A malformed pattern matches nothing. */
export function matchGlob(pattern: string, path: string): boolean {
  const tokens = globTokens(pattern);
  return tokens !== undefined && matchesTokens(tokens, path);
}
