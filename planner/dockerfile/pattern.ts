/**
 * The patterns of `${X#p}` and `${X/p/r}`: `*` and `?`, no brackets; `\` before `*`, `?`, `\`, `}` and `/`.
 * Source: Dockerfile reference, "Environment replacement". Without backtracking, so that no value makes it slow.
 */

/** Runs between asterisks; null is any one character. */
export type Pattern = { runs: (string | null)[][] };

/** @throws Error where a backslash stands before anything else */
export function compilePattern(text: string): Pattern {
  const runs: (string | null)[][] = [[]];
  const characters = [...text];
  for (let at = 0; at < characters.length; at++) {
    let char: string | undefined = characters[at]!;
    if (char === '*') runs.push([]);
    else if (char === '?') runs.at(-1)!.push(null);
    else {
      if (char === '\\') {
        char = characters[++at];
        if (char === undefined || !'*?\\}/'.includes(char)) throw new Error(`\\${char ?? ''} escapes nothing`);
      }
      runs.at(-1)!.push(char);
    }
  }
  return { runs };
}

function fits(run: (string | null)[], value: string[], at: number): boolean {
  if (at < 0 || at + run.length > value.length) return false;
  return run.every((char, index) => char === null || char === value[at + index]);
}

function first(run: (string | null)[], value: string[], from: number): number {
  for (let at = from; at + run.length <= value.length; at++) if (fits(run, value, at)) return at;
  return -1;
}

/** End of the match that begins at `start`, as short or as long as can be; -1 where there is none. */
function endOf({ runs }: Pattern, value: string[], start: number, longest: boolean): number {
  if (!fits(runs[0]!, value, start)) return -1;
  let end = start + runs[0]!.length;
  for (const [index, run] of runs.entries()) {
    if (index === 0) continue;
    const at = first(run, value, end);
    if (at === -1) return -1;
    end = at + run.length;
    if (!longest || index < runs.length - 1) continue;
    for (let later = value.length - run.length; later > at; later--) {
      if (fits(run, value, later)) return later + run.length;
    }
  }
  return end;
}

/** `value` without the shortest or longest head that matches. */
export function trimHead(pattern: Pattern, value: string, longest: boolean): string {
  const characters = [...value];
  const end = endOf(pattern, characters, 0, longest);
  return end === -1 ? value : characters.slice(end).join('');
}

/** `value` without the shortest or longest tail that matches. */
export function trimTail(pattern: Pattern, value: string, longest: boolean): string {
  const reversed = { runs: pattern.runs.map((run) => run.toReversed()).toReversed() };
  const characters = [...value].toReversed();
  const end = endOf(reversed, characters, 0, longest);
  return end === -1 ? value : characters.slice(end).toReversed().join('');
}

/** `value` with the first longest match, or every one, replaced. */
export function replaceMatch(pattern: Pattern, value: string, replacement: string, all: boolean): string {
  const characters = [...value];
  const result: string[] = [];
  let from = 0;
  let lastEnd = -1;
  for (let at = 0; at <= characters.length; ) {
    at = first(pattern.runs[0]!, characters, at);
    if (at === -1) break;
    const end = endOf(pattern, characters, at, true);
    // What does not match here matches nowhere further on: the runs find less room there.
    if (end === -1) break;
    // An empty match right behind another match does not count.
    const counts = end > at || at !== lastEnd;
    if (counts) {
      result.push(...slice(characters, from, at), replacement);
      from = end;
      lastEnd = end;
      if (!all) break;
    }
    at = Math.max(end, at + 1);
  }
  return result.join('') + characters.slice(from).join('');
}

function slice(characters: string[], from: number, to: number): string[] {
  return from < to ? [characters.slice(from, to).join('')] : [];
}
