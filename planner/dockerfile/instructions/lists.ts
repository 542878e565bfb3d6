/** EXPOSE, VOLUME, and the instructions of one text. Source: Dockerfile reference. */
import type { ExposeInstruction, TextInstruction, VolumeInstruction } from '../../../schemas/dockerfile.ts';
import { readFlags } from '../flags.ts';
import { refuse } from '../site.ts';
import { jsonWords, plainWords } from '../words.ts';
import type { Reading } from './reading.ts';

export function readText(
  { source, keyword, name, flags, rest }: Reading,
  kind: TextInstruction['kind'],
): TextInstruction {
  readFlags(source, name, flags, {});
  if (rest === '') refuse(source, `${name} needs a value.`);
  return { kind, keyword, source, value: rest };
}

export function readExpose({ source, keyword, flags, rest }: Reading): ExposeInstruction {
  readFlags(source, 'EXPOSE', flags, {});
  if (rest === '') refuse(source, 'EXPOSE needs a port.', { hint: 'It reads EXPOSE 80 443/tcp 53/udp.' });
  return { kind: 'expose', keyword, source, ports: plainWords(rest).toSorted() };
}

export function readVolume({ source, keyword, flags, rest }: Reading): VolumeInstruction {
  readFlags(source, 'VOLUME', flags, {});
  const json = jsonWords(rest);
  if (json && 'broken' in json && json.broken === 'items') {
    refuse(source, 'VOLUME in JSON form takes strings only.', { word: rest });
  }
  const words = json && 'words' in json ? json.words : plainWords(rest);
  const paths = words.map((word) => word.trim());
  if (paths.length === 0 || paths.includes('')) refuse(source, 'VOLUME needs a path, and none may be empty.');
  return { kind: 'volume', keyword, source, paths };
}
