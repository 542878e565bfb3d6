/**
 * Plain data as YAML in blocks, two columns deeper a level. Written here because the yaml package takes longer to write a
 * large stack than the loader to make it. Source: YAML 1.2.2; a string that YAML 1.1 would take for something else is quoted.
 */

/** The document of `value`: what JSON can hold, and infinite numbers. Entries that are undefined are left out. */
export function toYaml(value: unknown): string {
  const lines: string[] = [];
  write(lines, '', value, 0);
  return `${lines.join('\n')}\n`;
}

type Holder = Record<string, unknown> | unknown[];

/** Appends `value` after `start`, the text of its first line so far: `key:`, `-` or nothing. */
function write(lines: string[], start: string, value: unknown, depth: number): void {
  const first = start === '' || start.endsWith('- ') ? start : `${start} `;
  if (typeof value === 'string') lines.push(first + text(value, depth));
  else if (typeof value === 'number') lines.push(first + number(value));
  else if (typeof value !== 'object' || value === null) lines.push(first + String(value ?? null));
  else if (isEmpty(value as Holder)) lines.push(first + (Array.isArray(value) ? '[]' : '{}'));
  else writeHolder(lines, start, value as Holder, depth);
}

function isEmpty(value: Holder): boolean {
  return Array.isArray(value) ? value.length === 0 : Object.values(value).every((item) => item === undefined);
}

function writeHolder(lines: string[], start: string, value: Holder, depth: number): void {
  // The first entry of an item stands behind its dash.
  let lead = start;
  if (start !== '' && !start.endsWith('- ')) {
    lines.push(start);
    lead = '';
  }
  const indent = '  '.repeat(depth);
  const next = () => {
    const found = lead === '' ? indent : lead;
    lead = '';
    return found;
  };
  if (Array.isArray(value)) {
    for (const item of value) write(lines, `${next()}- `, item, depth + 1);
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const name = isPlain(key) ? key : quoted(key);
    // An implicit key has at most 1024 characters.
    if (name.length > 1000) lines.push(`${next()}? ${name}`);
    write(lines, name.length > 1000 ? `${indent}:` : `${next()}${name}:`, item, depth + 1);
  }
}

function number(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : String(value);
  return Number.isNaN(value) ? '.nan' : value > 0 ? '.inf' : '-.inf';
}

function text(value: string, depth: number): string {
  if (isPlain(value)) return value;
  if (!isBlock.test(value)) return quoted(value);
  const body = value.replace(/\n$/, '');
  const chomp = body === value ? '-' : body.endsWith('\n') ? '+' : '';
  const indent = '  '.repeat(Math.max(1, depth));
  return `|${chomp}\n${body.replaceAll(/^(?=.)/gm, indent)}`;
}

/** Lines of printable characters, the first of which begins with no blank: the indentation is told by it. */
const isBlock =
  /^(?=[^ \t\n])(?:[\t -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe]*\n)+[\t -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe]*$/;

const plain = /^(?:[A-Za-z0-9_./$(^+;\\<=~]|-(?=[A-Za-z0-9/-]))[ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe]*$/;
const broken = /: |:$| #| $|^(?:---|\.\.\.)/;
const words = /^(?:~|null|true|false|yes|no|on|off|y|n|<<|=|[-+]?\.inf|\.nan)$/i;
const numeric =
  /^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-f_]+|[0-9][0-9_,]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?|\.[0-9_]*(?:e[-+]?[0-9]+)?|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9]{4}-[0-9].*)$/i;

function isPlain(value: string): boolean {
  return plain.test(value) && !broken.test(value) && !words.test(value) && !numeric.test(value);
}

/** What JSON escapes YAML unescapes; besides, line breaks and marks that JSON leaves as they are. */
function quoted(value: string): string {
  return JSON.stringify(value).replaceAll(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
