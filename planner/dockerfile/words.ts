/** How the text of an instruction falls into keyword, flags and words. Source: Dockerfile reference, "Format". */

export interface Head {
  keyword: string;
  /** `--name=value`, quotes and escapes taken off. */
  flags: string[];
  rest: string;
}

/** Keyword, the flags behind it, and the rest without white space around it. `--` ends the flags. */
export function splitHead(text: string, escaper: string): Head {
  const [, keyword, tail] = /^\s*(\S*)\s*(.*?)\s*$/s.exec(text)!;
  const { flags, rest } = splitFlags(tail!, escaper);
  return { keyword: keyword!, flags, rest: rest.trim() };
}

function splitFlags(text: string, escaper: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  while (at < text.length) {
    while (at < text.length && /\s/.test(text[at]!)) at++;
    if (!text.startsWith('--', at)) break;
    let word = '';
    let quote: string | undefined;
    for (; at < text.length && (quote !== undefined || !/\s/.test(text[at]!)); at++) {
      const char = text[at]!;
      if (char === quote) quote = undefined;
      else if (quote === undefined && (char === "'" || char === '"')) quote = char;
      else if (char !== escaper) word += char;
      else if (at + 1 < text.length) word += text[++at];
    }
    if (word === '--') break;
    flags.push(word);
  }
  return { flags, rest: text.slice(at) };
}

/** Words at white space outside quotes; quotes and escapes stay, for the expansion to take off. */
export function quotedWords(text: string, escaper: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote === undefined && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    if (char === escaper && quote !== "'") {
      // One at the very end escapes nothing and goes.
      if (at + 1 < text.length) word = (word ?? '') + char + text[++at];
      continue;
    }
    if (char === quote) quote = undefined;
    else if (quote === undefined && (char === "'" || char === '"')) quote = char;
    word = (word ?? '') + char;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Words at white space, whatever is quoted. */
export function plainWords(text: string): string[] {
  return text === '' ? [] : text.split(/[\t\v\f\r ]+/);
}

export type JsonWords = { words: string[] } | { broken: string } | undefined;

/**
 * The strings of a JSON array; undefined where the text does not begin like one; `broken` says why it is none.
 * An array of anything but strings is `broken: 'items'`.
 */
export function jsonWords(text: string): JsonWords {
  if (!text.trimStart().startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    return { broken: (thrown as Error).message };
  }
  if (!(value as unknown[]).every((item) => typeof item === 'string')) return { broken: 'items' };
  return { words: value as string[] };
}

/** The fields of one line of CSV: RFC 4180. @throws Error for a quote out of place */
export function csvFields(text: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let field = '';
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        if (at >= text.length) throw new Error('a quote is not closed');
        if (text[at] === '"') at++;
        field += text[at];
      }
      at++;
      if (at < text.length && text[at] !== ',') throw new Error('something follows a closing quote');
      fields.push(field);
    } else {
      const comma = text.indexOf(',', at);
      const field = text.slice(at, comma === -1 ? undefined : comma);
      if (field.includes('"')) throw new Error('a quote stands inside a field');
      fields.push(field);
      at = comma === -1 ? text.length : comma;
    }
    if (at >= text.length) return fields;
    at++;
  }
}
