/**
 * Go templates as docker's `--format` takes them: fields (`{{.Repository}}`, `{{.Config.Env}}`), `json`, `index`, `len`, `join`,
 * `upper`, `lower`, `println`, and `range … end`. Source: docker's "Format command and log output"; Go's text/template.
 */
import { StackError } from '../../schemas/errors.ts';

type Render = (value: unknown) => string;

/** Compiles; what comes out renders one object. @throws StackError `usage` where a part is not understood */
export function template(text: string): Render {
  const tokens = text
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n')
    .split(/(\{\{.*?\}\})/s);
  const { render } = block(tokens, 0, false, text);
  return render;
}

/** Whether `--format` is a template; the words `table` and `json` are not. */
export function isTemplate(format: string): boolean {
  return format.includes('{{');
}

/** The header of `table {{.ID}}\t{{.Size}}`: each field's title in its place. */
export function header(text: string, titles: Record<string, string>): string {
  const title = (_: string, field: string) => titles[field] ?? field.toUpperCase();
  return text.replaceAll('\\t', '\t').replace(/\{\{\s*(?:json )?\.(\w+).*?\}\}/g, title);
}

function block(tokens: string[], start: number, isInner: boolean, whole: string): { render: Render; next: number } {
  const parts: Render[] = [];
  let at = start;
  for (; at < tokens.length; at++) {
    const token = tokens[at] as string;
    if (!token.startsWith('{{')) {
      parts.push(() => token);
      continue;
    }
    const action = token.slice(2, -2).trim();
    if (action === 'end' && isInner) break;
    const [, listed] = /^range\s+(\S+)$/.exec(action) ?? [];
    if (listed === undefined) {
      const evaluate = pipeline(action, whole);
      parts.push((value) => shown(evaluate(value)));
      continue;
    }
    const list = pipeline(listed, whole);
    const inner = block(tokens, at + 1, true, whole);
    at = inner.next;
    parts.push((value) =>
      Object.values((list(value) ?? []) as object)
        .map(inner.render)
        .join(''),
    );
  }
  if (isInner && at >= tokens.length) throw refused(whole, '"range" has no "end"');
  return { render: (value) => parts.map((part) => part(value)).join(''), next: at };
}

type Evaluate = (value: unknown) => unknown;

function pipeline(action: string, whole: string): Evaluate {
  const words = action.match(/"[^"]*"|\S+/g) ?? [];
  const first = words[0] ?? '';
  const rest = words.slice(1).map((word) => operand(word, whole));
  const [one = () => undefined, two = () => undefined] = rest;
  if (words.length === 1 && first !== 'println') return operand(first, whole);
  switch (first) {
    case 'json':
      return (value) => JSON.stringify(one(value) ?? null);
    case 'len':
      return (value) => Object.keys(Object(one(value) ?? [])).length;
    case 'index':
      return (value) => rest.slice(1).reduce<unknown>((at, key) => field(at, String(key(value))), one(value));
    case 'join':
      return (value) => ((one(value) ?? []) as unknown[]).join(String(two(value)));
    case 'upper':
      return (value) => shown(one(value)).toUpperCase();
    case 'lower':
      return (value) => shown(one(value)).toLowerCase();
    case 'println':
      return (value) => `${rest.map((each) => shown(each(value))).join(' ')}\n`;
    default:
      throw refused(whole, `"${first}" is not known`);
  }
}

function operand(word: string, whole: string): Evaluate {
  if (word.startsWith('"')) return () => word.slice(1, -1);
  if (/^-?\d+$/.test(word)) return () => Number(word);
  if (!/^(\.|(\.\w+)+)$/.test(word)) throw refused(whole, `"${word}" is not known`);
  const path = word.split('.').filter(Boolean);
  return (value) => path.reduce<unknown>(field, value);
}

function field(value: unknown, name: string): unknown {
  return Object.hasOwn(Object(value ?? {}), name) ? (value as Record<string, unknown>)[name] : undefined;
}

/** As Go prints values. */
function shown(value: unknown): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(shown).join(' ')}]`;
  if (typeof value === 'object') {
    return `map[${Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => `${key}:${shown(each)}`)
      .join(' ')}]`;
  }
  return String(value);
}

function refused(text: string, why: string): StackError {
  return new StackError('usage', {
    message: `Invalid --format "${text}": ${why}.`,
    hint: 'Fields are written {{.Name}}; json, index, join, len, upper, lower, println and range are known.',
  });
}
