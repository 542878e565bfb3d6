/**
 * Environment files: `.env`, `--env-file` and `env_file`. Source: compose's documentation "Syntax for environment files":
 * `NAME=value`, `export NAME=value`, `NAME: value`, single quotes literal, double quotes with escapes and interpolation,
 * ` #` starts a comment outside quotes, quoted values may span lines.
 */
import { StackError } from '../../schemas/errors.ts';
import { type Place, Source } from './places.ts';
import { expand, variableIn } from './template.ts';

export interface Dotenv {
  /** A name alone on its line has no value: it takes the one of the environment, where there is one. */
  values: Record<string, string | null>;
  /** Where each was given. */
  places: Map<string, Place>;
  errors: StackError[];
}

const assignment = /[ \t]*(?:export[ \t]+)?([A-Za-z0-9_][A-Za-z0-9_.-]*)[ \t]*(?:([=:])[ \t]*|(?=\r?\n|$|[ \t]+#))/y;
const escapes: Record<string, string> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '"': '"',
  '\\': '\\',
  $: '$$',
};

/** Reads `text`. `lookup` answers for names the file itself has not set yet; `isRaw` takes values as they stand (`format: raw`). */
export function parseDotenv(
  text: string,
  file: string,
  lookup: (name: string) => string | undefined,
  isRaw = false,
): Dotenv {
  const values: Record<string, string | null> = {};
  const errors: StackError[] = [];
  const places = new Map<string, Place>();
  const source = new Source(file, text);
  const fail = (message: string, start: number, end: number) =>
    errors.push(new StackError('config.value', { message, where: source.position(start, end) }));
  const known = (name: string) => lookup(name) ?? variableIn(values, name);
  const interpolated = (template: string, start: number) => {
    const expansion = expand(template, known);
    for (const problem of expansion.problems)
      fail(problem.message, start + problem.start, start + problem.start + problem.length);
    return expansion.value;
  };

  let at = text.startsWith('\ufeff') ? 1 : 0;
  while (at < text.length) {
    const lineEnd = endOfLine(text, at);
    const line = text.slice(at, lineEnd).trim();
    if (line === '' || line.startsWith('#')) {
      at = lineEnd + 1;
      continue;
    }
    assignment.lastIndex = at;
    const found = assignment.exec(text);
    if (!found || found.index !== at) {
      fail(`${JSON.stringify(line)} is no assignment: a line is NAME=value`, at, lineEnd);
      at = lineEnd + 1;
      continue;
    }
    const name = found[1]!;
    const start = at + found[0].length;
    const keyStart = at + found[0].indexOf(name);
    places.set(name, { source, keyStart, keyEnd: keyStart + name.length, start, end: lineEnd });
    if (!found[2]) {
      values[name] = lookup(name) ?? null;
      at = lineEnd + 1;
      continue;
    }
    const quote = text[start];
    if (isRaw) {
      values[name] = text.slice(Math.min(start, lineEnd), lineEnd).replace(/\r$/, '');
      at = lineEnd + 1;
    } else if (start < lineEnd && (quote === '"' || quote === "'")) {
      const close = closingQuote(text, start);
      if (close === -1) {
        fail(`the quote of ${name} is not closed`, start, lineEnd);
        at = lineEnd + 1;
        continue;
      }
      const body = text.slice(start + 1, close);
      values[name] = quote === "'" ? body.replaceAll("\\'", "'") : interpolated(resolveEscapes(body), start + 1);
      at = endOfLine(text, close) + 1;
    } else {
      const body = text
        .slice(start, Math.max(start, lineEnd))
        .replace(/[ \t]#.*$/, '')
        .trim();
      values[name] = interpolated(body, start);
      at = lineEnd + 1;
    }
  }
  return { values, places, errors };
}

function endOfLine(text: string, from: number): number {
  const found = text.indexOf('\n', from);
  return found === -1 ? text.length : found;
}

function closingQuote(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === text[open]) return at;
  }
  return -1;
}

function resolveEscapes(body: string): string {
  return body.replaceAll(/\\(.)/gs, (whole, char: string) => escapes[char] ?? whole);
}
