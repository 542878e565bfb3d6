/** One pattern of a .dockerignore or of --exclude, compiled. Source: moby patternmatcher. */
import { advanceAll, begin, globTokens, matchesTokens, readClass, type Token } from './glob.ts';

export interface IgnorePattern {
  /** Cleaned, without `!`. */
  text: string;
  /** `!`: what matches is kept. */
  exception: boolean;
  /** Whether the path itself matches; of a directory it says nothing about what is below. */
  matches(path: string): boolean;
  /** Whether something below this directory can match. */
  reaches(directory: string): boolean;
}

/** Go's filepath.Clean for relative and absolute slash paths. */
export function cleanPath(path: string): string {
  const isAbsolute = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!isAbsolute) parts.push(part);
  }
  const joined = parts.join('/');
  return isAbsolute ? `/${joined}` : joined || '.';
}

/** Undefined for an empty line; `malformed` for what Match refuses. */
export function compileIgnorePattern(line: string): IgnorePattern | 'malformed' | undefined {
  const trimmed = line.trim();
  if (trimmed === '') return undefined;
  let text = cleanPath(trimmed);
  const exception = text.startsWith('!');
  if (exception) text = text.slice(1);
  if (text === '' || globTokens(text) === undefined) return 'malformed';
  const tokens = tokensOf(text);
  const matches = (path: string) => matchesTokens(tokens, path);
  const reaches = (directory: string) =>
    directory === '' || directory === '.' || advanceAll(tokens, begin(tokens), `${directory}/`).size > 0;
  return { text, exception, matches, reaches };
}

function tokensOf(text: string): Token[] {
  const characters = [...text];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; ) {
    const char = characters[at++]!;
    if (char === '*' && characters[at] === '*') {
      at++;
      const isHead = at === 2;
      if (characters[at] === '/') at++;
      if (at >= characters.length) tokens.push({ type: 'all' });
      // `**name` with nothing special behind it is a suffix of the whole path, not of an element.
      else if (isHead && characters[at - 1] === '*' && !/[*?[\]\\]/.test(text.slice(2))) tokens.push({ type: 'all' });
      else tokens.push({ type: 'directories' });
    } else if (char === '*') tokens.push({ type: 'star' });
    else if (char === '?') tokens.push({ type: 'any' });
    else if (char === '[') {
      const { token, end } = readClass(characters, at - 1, true)!;
      tokens.push(token);
      at = end;
    } else if (char === '\\') tokens.push({ type: 'char', char: characters[at++]! });
    else tokens.push({ type: 'char', char });
  }
  // patternmatcher compares what has no wildcard but a ** at one end as text; of the rest it makes a regular expression,
  // in which it leaves a ^ unescaped.
  const middle = text.startsWith('**') ? text.slice(2) : text.replace(/\*\*$/, '');
  if (!/[*?[\]\\]/.test(middle)) return tokens;
  return tokens.map((token) => (token.type === 'char' && token.char === '^' ? { type: 'start' } : token));
}
