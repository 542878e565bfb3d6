/** Build checks: which are on, and what they find. Source: Docker docs, "Build checks"; Dockerfile reference, "check". */
import type { InstructionText } from '../../../schemas/dockerfile.ts';
import { StackError } from '../../../schemas/errors.ts';
import { nearest } from '../../load/suggest.ts';
import { placeOf } from '../site.ts';
import { type Rule, rules } from './rules.ts';

export interface CheckOptions {
  skip: Set<string> | 'all';
  /** What a check finds fails the build. */
  error: boolean;
  /** What is wrong with the directive. */
  problems: string[];
}

/** Reads `skip=A,B;error=true`, the value of a `# check=` directive. */
export function readCheckOptions(text: string): CheckOptions {
  const options: CheckOptions = { skip: new Set(), error: false, problems: [] };
  for (const part of text.split(';')) {
    const [, name, value] = /^\s*([a-z]+)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    if (name === 'skip' && value === 'all') options.skip = 'all';
    else if (name === 'skip') {
      const names = value!.split(',').map((rule) => rule.trim());
      for (const rule of names) if (options.skip !== 'all') options.skip.add(rule);
      for (const rule of names) {
        const meant = Object.hasOwn(rules, rule) ? undefined : nearest(rule, Object.keys(rules));
        if (meant) options.problems.push(`There is no check ${rule}; did you mean ${meant}?`);
      }
    } else if (name === 'error' && /^(?:true|false|1|0|t|f)$/i.test(value!)) options.error = /^[1t]/i.test(value!);
    else if (name !== 'experimental') options.problems.push(`"${part.trim()}" is no option of checks.`);
  }
  return options;
}

export class Checks {
  readonly found: StackError[] = [];
  readonly options: CheckOptions;
  #seen = new Set<string>();

  constructor(options: CheckOptions) {
    this.options = options;
  }

  /** Notes what `rule` found. The same of the same place counts once; `# check=skip=…` above the instruction skips it. */
  report(rule: Rule, source: InstructionText, message: string, word?: string, line?: number): void {
    const { skip } = this.options;
    if (skip === 'all' || skip.has(rule)) return;
    for (const comment of source.comments) {
      const own = /^check\s*=\s*(.+)$/.exec(comment);
      const options = own && readCheckOptions(own[1]!);
      if (options && (options.skip === 'all' || options.skip.has(rule))) return;
    }
    const where = line === undefined ? placeOf(source, word) : { file: source.file, line, column: 1 };
    const key = `${rule} ${where.line}:${where.column} ${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const hint = rules[rule];
    this.found.push(new StackError('build.check', { message: `${rule}: ${message}`, hint, where, operation: rule }));
  }
}
