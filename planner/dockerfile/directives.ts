/** Parser directives. Source: Dockerfile reference, "Parser directives". */
import type { Dockerfile } from '../../schemas/dockerfile.ts';

const pattern = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.*\S)\s*$/;
const known = ['syntax', 'escape', 'check'] as const;
type Name = (typeof known)[number];

export interface DirectiveProblem {
  message: string;
  /** Index of the line. */
  line: number;
}

export interface Directives {
  directives: Dockerfile['directives'];
  escape: '\\' | '`';
  /** Lines they take. */
  count: number;
  problems: DirectiveProblem[];
}

/** Reads the directives at the head of `lines`: they end at the first line that is none. */
export function readDirectives(lines: string[]): Directives {
  const result: Directives = { directives: {}, escape: '\\', count: 0, problems: [] };
  for (const [line, text] of lines.entries()) {
    const found = pattern.exec(text.trimStart());
    const name = found?.[1]?.toLowerCase() as Name | undefined;
    if (!found || !name || !known.includes(name)) break;
    const value = found[2]!;
    if (result.directives[name] !== undefined) {
      result.problems.push({ message: `The parser directive ${name} is given twice.`, line });
    } else if (name === 'escape' && value !== '\\' && value !== '`') {
      result.problems.push({ message: `The escape character "${value}" is neither \\ nor \`.`, line });
    } else {
      result.directives[name] = value;
      if (name === 'escape') result.escape = value as '\\' | '`';
    }
    result.count = line + 1;
  }
  return result;
}
