/**
 * Interpolation of one string. Source: compose-spec 12-interpolation.md.
 * Grammar: `$$`, `$NAME`, `${NAME}`, `${NAME<op>word}` with op one of `:-` `-` `:?` `?` `:+` `+`; `word` is a template again.
 */

export interface TemplateProblem {
  kind: 'invalid' | 'required';
  message: string;
  /** Offset and length in the template. */
  start: number;
  length: number;
}

export interface Expansion {
  value: string;
  problems: TemplateProblem[];
  /** Variables without a value that were taken as empty, with their offset. */
  unset: { name: string; start: number; length: number }[];
}

/** Templates inside templates, at most. */
export const deepest = 100;

export const variableName = /[A-Za-z_][A-Za-z0-9_]*/y;
export const operator = /:?[-?+]/y;

export function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** The value of a variable; names like `constructor`, which every object answers to, are no variables. */
export function variableIn(values: Record<string, string | null>, variable: string): string | undefined {
  return Object.hasOwn(values, variable) ? (values[variable] ?? undefined) : undefined;
}

/** Index of the `}` that closes the brace whose content begins at `from`, or -1. */
export function closingBrace(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === '$' && text[at + 1] === '$') at++;
    else if (char === '$' && text[at + 1] === '{') {
      depth++;
      at++;
    } else if (char === '}') {
      if (depth === 0) return at;
      depth--;
    }
  }
  return -1;
}

/**
 * Expands `template`. Never throws: an invalid part is reported and left as it stands. Only the branch that is taken is
 * expanded, so a `:?` in a default that is not used does not fail.
 */
export function expand(
  template: string,
  lookup: (name: string) => string | undefined,
  offset = 0,
  depth = 0,
): Expansion {
  const result: Expansion = { value: '', problems: [], unset: [] };
  if (!template.includes('$')) {
    result.value = template;
    return result;
  }
  if (depth > deepest) {
    const message = `variables inside the defaults of variables, more than ${deepest} deep`;
    result.problems.push({ kind: 'invalid', message, start: offset, length: template.length });
    return result;
  }
  const invalid = (start: number, end: number) => {
    const text = template.slice(start, end);
    result.problems.push({
      kind: 'invalid',
      message: `invalid interpolation "${text}"`,
      start: offset + start,
      length: end - start,
    });
    result.value += text;
    return end;
  };
  const inner = (text: string, start: number): string => {
    const expansion = expand(text, lookup, offset + start, depth + 1);
    result.problems.push(...expansion.problems);
    result.unset.push(...expansion.unset);
    return expansion.value;
  };
  const plain = (variable: string, start: number, length: number): string => {
    const value = lookup(variable);
    if (value === undefined) result.unset.push({ name: variable, start: offset + start, length });
    return value ?? '';
  };

  let at = 0;
  while (at < template.length) {
    const dollar = template.indexOf('$', at);
    if (dollar === -1) {
      result.value += template.slice(at);
      break;
    }
    result.value += template.slice(at, dollar);
    const next = template[dollar + 1];
    if (next === '$') {
      result.value += '$';
      at = dollar + 2;
    } else if (next === '{') {
      const close = closingBrace(template, dollar + 2);
      if (close === -1) {
        at = invalid(dollar, template.length);
        continue;
      }
      at = close + 1;
      const variable = match(variableName, template, dollar + 2);
      const operatorAt = dollar + 2 + (variable?.length ?? 0);
      if (variable === undefined) {
        invalid(dollar, at);
        continue;
      }
      if (operatorAt === close) {
        result.value += plain(variable, dollar, at - dollar);
        continue;
      }
      const op = match(operator, template, operatorAt);
      if (op === undefined) {
        invalid(dollar, at);
        continue;
      }
      const wordAt = operatorAt + op.length;
      const word = template.slice(wordAt, close);
      const value = lookup(variable);
      const isMissing = value === undefined || (op.length === 2 && value === '');
      if (op.endsWith('-')) result.value += isMissing ? inner(word, wordAt) : value;
      else if (op.endsWith('+')) result.value += isMissing ? '' : inner(word, wordAt);
      else if (isMissing) {
        const reason = inner(word, wordAt);
        result.problems.push({
          kind: 'required',
          message: `required variable ${variable} is missing a value${reason === '' ? '' : `: ${reason}`}`,
          start: offset + dollar,
          length: at - dollar,
        });
      } else result.value += value;
    } else {
      const variable = match(variableName, template, dollar + 1);
      at = dollar + 1 + (variable?.length ?? 0);
      // A dollar sign before anything but a name stands for itself, as in compose: `pa$1`.
      result.value += variable === undefined ? '$' : plain(variable, dollar, at - dollar);
    }
  }
  return result;
}
