/** Which variables a text asks for, without filling them in. Source: compose-spec 12-interpolation.md. */
import { closingBrace, deepest, match, operator, variableName } from './template.ts';

export interface Variable {
  name: string;
  /** `:?` or `?`: nothing works without it. */
  isRequired: boolean;
  /** The word after `:-` or `-`, as written. */
  default: string;
  /** The word after `:+` or `+`, as written. */
  alternate: string;
}

/** The variables of `template` in order, those inside the words of others after them. */
export function variablesOf(template: string, depth = 0): Variable[] {
  if (depth > deepest) return [];
  const found: Variable[] = [];
  let at = template.indexOf('$');
  while (at !== -1) {
    const next = template[at + 1];
    if (next === '$') at += 2;
    else if (next === '{') {
      const close = closingBrace(template, at + 2);
      if (close === -1) break;
      found.push(...braced(template.slice(at + 2, close), depth));
      at = close + 1;
    } else {
      const name = match(variableName, template, at + 1);
      if (name !== undefined) found.push({ name, isRequired: false, default: '', alternate: '' });
      at += 1 + (name?.length ?? 0);
    }
    at = template.indexOf('$', at);
  }
  return found;
}

function braced(content: string, depth: number): Variable[] {
  const name = match(variableName, content, 0);
  if (name === undefined) return [];
  const op = match(operator, content, name.length)?.at(-1);
  const word = op === undefined ? '' : content.slice(content.indexOf(op, name.length) + 1);
  const variable = {
    name,
    isRequired: op === '?',
    default: op === '-' ? word : '',
    alternate: op === '+' ? word : '',
  };
  return [variable, ...variablesOf(word, depth + 1)];
}

/** The variables of every string of `value` by name; of one that is asked for twice the first default is told. */
export function allVariables(value: unknown, found = new Map<string, Variable>()): Map<string, Variable> {
  if (typeof value === 'string') {
    for (const variable of variablesOf(value)) {
      const known = found.get(variable.name);
      if (!known) found.set(variable.name, variable);
      else {
        known.isRequired ||= variable.isRequired;
        known.default ||= variable.default;
        known.alternate ||= variable.alternate;
      }
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) allVariables(item, found);
  }
  return found;
}
