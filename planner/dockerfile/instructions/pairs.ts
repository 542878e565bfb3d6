/** ENV, LABEL and ARG. Source: Dockerfile reference, "ENV", "LABEL", "ARG". */
import type { ArgInstruction, EnvInstruction, KeyValue, LabelInstruction } from '../../../schemas/dockerfile.ts';
import { readFlags } from '../flags.ts';
import { refuse } from '../site.ts';
import { quotedWords } from '../words.ts';
import type { Reading } from './reading.ts';

export function readPairs(reading: Reading, kind: 'env' | 'label'): EnvInstruction | LabelInstruction {
  const { source, keyword, name, flags } = reading;
  readFlags(source, name, flags, {});
  return { kind, keyword, source, pairs: pairsOf(reading) };
}

function pairsOf({ source, name, rest, escape: escaper }: Reading): KeyValue[] {
  const words = quotedWords(rest, escaper);
  const hint = `It reads ${name} NAME=value ….`;
  if (words.length === 0) refuse(source, `${name} needs a name and a value.`, { hint });
  // The old form, `NAME any text`, is told by its first word.
  if (!words[0]!.includes('=')) {
    const [, key, value] = /^(\S+)[\t\v\f\r ]+(.*)$/s.exec(rest) ?? [];
    if (key === undefined) refuse(source, `${name} ${rest} has no value.`, { hint, word: rest });
    return [{ key, value: value!, legacy: true }];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals === -1) refuse(source, `${name}: "${word}" has no "=".`, { hint, word });
    if (equals === 0) refuse(source, `${name}: "${word}" has no name.`, { hint, word });
    return { key: word.slice(0, equals), value: word.slice(equals + 1), legacy: false };
  });
}

export function readArg({ source, keyword, flags, rest, escape: escaper }: Reading): ArgInstruction {
  readFlags(source, 'ARG', flags, {});
  const args = quotedWords(rest, escaper).map((word) => {
    const equals = word.indexOf('=');
    if (equals === 0) refuse(source, `ARG: "${word}" has no name.`, { word });
    return equals === -1 ? { key: word } : { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
  if (args.length === 0) refuse(source, 'ARG needs a name.', { hint: 'It reads ARG NAME or ARG NAME=default.' });
  return { kind: 'arg', keyword, source, args };
}
