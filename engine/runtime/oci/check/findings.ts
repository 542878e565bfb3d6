/** What is wrong with a document, collected so that a user sees all of it at once. */
import { StackError } from '../../../../schemas/errors.ts';

/** More would bury the first. */
const mostShown = 40;

interface Problem {
  path: string;
  text: string;
}

export class Findings {
  /** Logged by the caller, as runtime.md "Warnings" has it: `process.env[2]: …`. */
  readonly warnings: string[] = [];
  /** The property under examination, from the top. Kept here so that nothing is allocated for a sound document. */
  readonly keys: (string | number)[] = [];
  private readonly problems: Problem[] = [];
  private hasValueProblem = false;
  private readonly hidden: string;

  /** @param top the part of every path that the document at hand has not: `linux.resources` where it is nothing else. */
  constructor(top = '') {
    this.hidden = top && `${top}.`;
  }

  get isClean(): boolean {
    return this.problems.length === 0;
  }

  /** The property under examination has the wrong type. @param text what it must be: `must be a string`. */
  type(text: string): void {
    this.problems.push({ path: pathOf(this.keys), text });
  }

  /** The property under examination has a value that cannot be used. */
  value(text: string): void {
    this.hasValueProblem = true;
    this.problems.push({ path: pathOf(this.keys), text });
  }

  /** @param path `linux.namespaces[2].type`; see {@link pathOf}. */
  refuse(path: string, text: string): void {
    this.hasValueProblem = true;
    this.problems.push({ path, text });
  }

  warn(path: string, text: string): void {
    this.warnings.push(`${this.visible(path)}: ${text}`);
  }

  private visible(path: string): string {
    return (path.startsWith(this.hidden) ? path.slice(this.hidden.length) : path) || 'the document';
  }

  /** Something at, below or above `path` is wrong already, so that nothing can be concluded from it. */
  isDamaged(path: string): boolean {
    return this.problems.some(({ path: at }) => at === '' || covers(at, path) || covers(path, at));
  }

  /** @throws config.type where only types are wrong, config.value otherwise; nothing for a sound document. */
  raise(file: string, hint: string): void {
    if (this.isClean) return;
    const lines = this.problems.slice(0, mostShown).map(({ path, text }) => `${this.visible(path)} ${text}`);
    const rest = this.problems.length - lines.length;
    if (rest > 0) lines.push(`and ${rest} more`);
    const [only] = lines;
    throw new StackError(this.hasValueProblem ? 'config.value' : 'config.type', {
      message:
        lines.length === 1
          ? `${file}: ${only}`
          : `${file} has ${this.problems.length} problems:\n  ${lines.join('\n  ')}`,
      hint,
      resource: file,
    });
  }
}

const covers = (outer: string, inner: string) =>
  inner.startsWith(outer) &&
  (inner.length === outer.length || inner[outer.length] === '.' || inner[outer.length] === '[');

/** `linux.devices[0].path`; a key that is no plain word is quoted: `linux.sysctl["net.core.somaxconn"]`. */
export function pathOf(keys: readonly (string | number)[]): string {
  let path = '';
  for (const key of keys) {
    if (typeof key === 'number') path += `[${key}]`;
    else if (/^\w+$/.test(key)) path += path ? `.${key}` : key;
    else path += `[${shown(key)}]`;
  }
  return path;
}

/** A value as a message shows it: quoted, control characters escaped, not endless. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 120)) : String(value).slice(0, 120);
  return typeof value === 'string' && value.length > 120 ? `${text.slice(0, -1)}…"` : text;
}
