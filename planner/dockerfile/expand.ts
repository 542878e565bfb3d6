/**
 * Quotes, escapes and variables in the words of a Dockerfile. Source: Dockerfile reference, "Environment replacement";
 * POSIX.1-2017 XCU 2.6.2 for the forms it takes. Cost is linear in the text and what it expands to.
 */
import { compilePattern, replaceMatch, trimHead, trimTail } from './pattern.ts';

export interface Variables {
  get(name: string): string | undefined;
}

export interface ExpandOptions {
  escape: '\\' | '`';
  /** Quotes stay as they are written. */
  rawQuotes?: boolean;
  /** Escape characters stay as they are written. */
  rawEscapes?: boolean;
  /** Quotes mean nothing: the text of a heredoc. */
  plainQuotes?: boolean;
  /** An unset variable stays as it is written. */
  keepUnset?: boolean;
}

export interface Expanded {
  value: string;
  /** Names that had a value, and names that had none. */
  used: Set<string>;
  unset: Set<string>;
}

/** What is wrong with a text, in words that follow a colon. */
export class ExpansionError extends Error {}

/** Longest result, in characters. Linux takes no single variable longer than 128 KiB (execve(2), MAX_ARG_STRLEN). */
const longest = 1 << 20;
const deepest = 64;

/** @throws ExpansionError */
export function expand(text: string, variables: Variables, options: ExpandOptions): Expanded {
  const expander = new Expander(text, variables, options);
  const { value } = expander.until(undefined, options.rawEscapes ?? false);
  return { value, used: expander.used, unset: expander.unset };
}

/**
 * The words that `text` is after expansion, split at white space that is not quoted.
 * @throws ExpansionError
 */
export function expandWords(text: string, variables: Variables, options: ExpandOptions): string[] {
  return new Expander(text, variables, options).until(undefined, options.rawEscapes ?? false).words;
}

const space = /\s/;
const letter = /[\p{L}\p{Nd}_]/u;
const digit = /\p{Nd}/u;

class Words {
  words: string[] = [];
  #word = '';

  plain(text: string): void {
    for (const char of text) {
      if (space.test(char)) this.end();
      else this.#word += char;
    }
  }

  raw(text: string): void {
    this.#word += text;
  }

  end(): void {
    if (this.#word !== '') this.words.push(this.#word);
    this.#word = '';
  }
}

class Expander {
  readonly used = new Set<string>();
  readonly unset = new Set<string>();
  #text: string;
  #at = 0;
  #variables: Variables;
  #options: ExpandOptions;
  #rawEscapes = false;
  #depth = 0;
  #made = 0;

  constructor(text: string, variables: Variables, options: ExpandOptions) {
    this.#text = text;
    this.#variables = variables;
    this.#options = options;
  }

  get #next(): string | undefined {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? undefined : String.fromCodePoint(code);
  }

  #take(): string | undefined {
    const char = this.#next;
    this.#at += char?.length ?? 0;
    return char;
  }

  /** Expands up to `stop`, which is taken, or to the end of the text. */
  until(stop: string | undefined, rawEscapes: boolean): { value: string; words: string[] } {
    if (++this.#depth > deepest) throw new ExpansionError(`more than ${deepest} expansions inside each other`);
    const before = this.#rawEscapes;
    this.#rawEscapes = rawEscapes;
    const words = new Words();
    const value: string[] = [];
    let isClosed = stop === undefined;
    for (let char = this.#next; char !== undefined; char = this.#next) {
      if (char === stop) {
        this.#take();
        isClosed = true;
        break;
      }
      let piece: string;
      if (char === '$') {
        piece = this.#dollar();
        words.plain(piece);
      } else if (char === '<') {
        piece = this.#heredoc();
        words.raw(piece);
      } else if ((char === "'" || char === '"') && !this.#options.plainQuotes) {
        piece = char === "'" ? this.#single() : this.#double();
        words.raw(piece);
      } else if (char === this.#options.escape) {
        this.#take();
        piece = (rawEscapes ? char : '') + (this.#take() ?? '');
        words.raw(piece);
      } else {
        this.#take();
        piece = char;
        words.plain(piece);
      }
      value.push(piece);
    }
    if (!isClosed) throw new ExpansionError(`${stop} is missing`);
    words.end();
    this.#rawEscapes = before;
    this.#depth--;
    return { value: value.join(''), words: words.words };
  }

  /** `<<` and a space behind it belong to the marker. */
  #heredoc(): string {
    this.#take();
    if (this.#next !== '<') return '<';
    this.#take();
    const blank = /[ \t\r]*/y;
    blank.lastIndex = this.#at;
    const spaces = blank.exec(this.#text)![0];
    this.#at += spaces.length;
    return `<<${spaces}`;
  }

  #single(): string {
    const close = this.#text.indexOf("'", this.#at + 1);
    if (close === -1) throw new ExpansionError("a single quote (') is not closed");
    const content = this.#text.slice(this.#at + 1, close);
    this.#at = close + 1;
    return this.#options.rawQuotes ? `'${content}'` : content;
  }

  #double(): string {
    this.#take();
    const value: string[] = [];
    for (let char = this.#next; char !== '"'; char = this.#next) {
      if (char === undefined) throw new ExpansionError('a double quote (") is not closed');
      if (char === '$') {
        value.push(this.#dollar());
        continue;
      }
      this.#take();
      if (char !== this.#options.escape) value.push(char);
      else {
        const next = this.#next;
        if (this.#rawEscapes) value.push(char);
        if (next === '"' || next === '$' || next === this.#options.escape) value.push(this.#take()!);
        else if (next !== undefined && !this.#rawEscapes) value.push(char);
        else if (next !== undefined) value.push(this.#take()!);
      }
    }
    this.#take();
    return this.#options.rawQuotes ? `"${value.join('')}"` : value.join('');
  }

  #dollar(): string {
    const value = this.#variable();
    this.#made += value.length;
    if (this.#made > longest) throw new ExpansionError(`the value is longer than ${longest} characters`);
    return value;
  }

  #variable(): string {
    this.#take();
    if (this.#next !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      return this.#value(name) ?? (this.#options.keepUnset ? `$${name}` : '');
    }
    this.#take();
    if (this.#next === '{' || this.#next === '}' || this.#next === ':') {
      throw new ExpansionError(`\${${this.#next} names no variable`);
    }
    const name = this.#name();
    let operator = this.#take();
    if (operator === '}') return this.#value(name) ?? (this.#options.keepUnset ? `\${${name}}` : '');
    if (operator === '/') return this.#replace(name);
    const colon = operator === ':' ? ':' : '';
    if (colon) operator = this.#take();
    if (operator === undefined) throw new ExpansionError('} is missing');
    if (!'+-?#%'.includes(operator) || (colon && '#%'.includes(operator))) {
      throw new ExpansionError(`\${${name}${colon}${operator}…} is no form of a variable`);
    }
    const { value: word } = this.until('}', operator === '#' || operator === '%');
    const value = this.#value(name);
    if (value === undefined && this.#options.keepUnset) return `\${${name}${colon}${operator}${word}}`;
    const isMissing = value === undefined || (colon !== '' && value === '');
    if (operator === '-') return isMissing ? word : value;
    if (operator === '+') return isMissing ? '' : word;
    if (operator === '?') {
      if (!isMissing) return value;
      throw new ExpansionError(`${name}: ${word || `must not be ${value === undefined ? 'unset' : 'empty'}`}`);
    }
    const isLongest = word.startsWith(operator);
    const pattern = this.#pattern(isLongest ? word.slice(1) : word, value);
    return (operator === '#' ? trimHead : trimTail)(pattern, value ?? '', isLongest);
  }

  #replace(name: string): string {
    const all = this.#next === '/';
    if (all) this.#take();
    const { value: pattern } = this.until('/', true);
    const { value: replacement } = this.until('}', true);
    const value = this.#value(name);
    if (value === undefined && this.#options.keepUnset) return `\${${name}/${pattern}/${replacement}}`;
    return replaceMatch(this.#pattern(pattern, value), value ?? '', replacement, all);
  }

  #pattern(text: string, value = '') {
    if (text.length * value.length > 1e8) throw new ExpansionError('pattern and value are too long for each other');
    try {
      return compilePattern(text);
    } catch (thrown) {
      throw new ExpansionError(`the pattern "${text}" is not valid: ${(thrown as Error).message}`);
    }
  }

  /** A name, the digits of a positional parameter, or one special parameter. */
  #name(): string {
    const first = this.#next;
    if (first !== undefined && '@*#?-$!0'.includes(first) && !digit.test(first)) return this.#take()!;
    const allowed = first !== undefined && digit.test(first) ? digit : letter;
    let name = '';
    while (this.#next !== undefined && allowed.test(this.#next)) name += this.#take();
    return name;
  }

  #value(name: string): string | undefined {
    const value = this.#variables.get(name);
    (value === undefined ? this.unset : this.used).add(name);
    return value;
  }
}
