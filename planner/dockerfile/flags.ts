/** Flags of an instruction: known, of the right kind, given once. Source: Dockerfile reference, each instruction. */
import type { InstructionText } from '../../schemas/dockerfile.ts';
import { nearest } from '../load/suggest.ts';
import { refuse } from './site.ts';

type Kind = 'text' | 'flag' | 'list';
type Value<K extends Kind> = K extends 'list' ? string[] : K extends 'flag' ? boolean | undefined : string | undefined;

/**
 * The values of `flags` by name; a list is empty where its flag is not given.
 * @throws StackError `build.dockerfile`
 */
export function readFlags<T extends Record<string, Kind>>(
  source: InstructionText,
  keyword: string,
  flags: string[],
  kinds: T,
): { [K in keyof T]: Value<T[K]> } {
  const values: Record<string, string | boolean | string[] | undefined> = {};
  for (const [name, kind] of Object.entries(kinds)) values[name] = kind === 'list' ? [] : undefined;
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const name = flag.slice(2, equals === -1 ? undefined : equals);
    const value = equals === -1 ? undefined : flag.slice(equals + 1);
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (!kind) unknownFlag(source, keyword, name, Object.keys(kinds));
    if (kind === 'flag') {
      const text = value?.toLowerCase() ?? 'true';
      if (text !== 'true' && text !== 'false') {
        refuse(source, `${keyword} --${name} takes true or false, not "${value}".`, { word: `--${name}` });
      }
      once(source, keyword, name, values[name]);
      values[name] = text === 'true';
    } else {
      if (value === undefined) {
        const hint = `Write --${name}=value, without a space.`;
        refuse(source, `${keyword} --${name} needs a value.`, { hint, word: `--${name}` });
      }
      if (kind === 'list') (values[name] as string[]).push(value);
      else {
        once(source, keyword, name, values[name]);
        values[name] = value;
      }
    }
  }
  return values as { [K in keyof T]: Value<T[K]> };
}

function once(source: InstructionText, keyword: string, name: string, before: unknown): void {
  if (before !== undefined) refuse(source, `${keyword} --${name} is given twice.`, { word: `--${name}` });
}

function unknownFlag(source: InstructionText, keyword: string, name: string, known: string[]): never {
  const meant = nearest(name, known);
  const list = known.map((flag) => `--${flag}`).join(', ');
  let hint = list === '' ? `${keyword} takes no flags.` : `${keyword} takes ${list}.`;
  if (meant) hint = `Did you mean --${meant}? ${hint}`;
  refuse(source, `${keyword} has no flag --${name}.`, { hint, word: `--${name}` });
}
