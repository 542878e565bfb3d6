/** FROM. Source: Dockerfile reference, "FROM". */
import type { FromInstruction } from '../../../schemas/dockerfile.ts';
import { readFlags } from '../flags.ts';
import { refuse } from '../site.ts';
import { plainWords } from '../words.ts';
import type { Reading } from './reading.ts';

export function readFrom({ source, keyword, flags, rest }: Reading): FromInstruction {
  const { platform } = readFlags(source, 'FROM', flags, { platform: 'text' });
  const [image, as, writtenName, more] = plainWords(rest);
  const hint = 'It reads FROM [--platform=…] image [AS name].';
  if (image === undefined) refuse(source, 'FROM needs an image.', { hint });
  const base = { kind: 'from' as const, keyword, source, image, ...(platform === undefined ? {} : { platform }) };
  if (as === undefined) return base;
  if (as.toLowerCase() !== 'as' || writtenName === undefined || more !== undefined) {
    refuse(source, `FROM takes an image and AS with a name, not "${rest}".`, { hint, word: rest });
  }
  const name = writtenName.toLowerCase();
  if (!/^[a-z][a-z0-9-_.]*$/.test(name)) {
    const why = 'A name begins with a letter and has letters, digits, dots, dashes and underscores.';
    refuse(source, `"${writtenName}" is no name for a stage.`, { hint: why, word: writtenName });
  }
  return { ...base, as, name, writtenName };
}
