/** Here-document markers in an instruction: `<<EOF`, `<<-EOF`, `3<<"EOF"`. Source: Dockerfile reference, "Here-documents". */
import type { Heredoc } from '../../schemas/dockerfile.ts';
import { ExpansionError, expandWords } from './expand.ts';

const marker = /^\d*<<(-?)\s*([^<]*)$/;
const nothing = { get: () => undefined };

/** The marker that `word` is, or undefined. */
export function parseMarker(word: string): Omit<Heredoc, 'content'> | undefined {
  const found = marker.exec(word);
  if (!found || found[2] === '') return undefined;
  const words = tryWords(found[2]!, { rawQuotes: false, rawEscapes: false });
  const raw = tryWords(found[2]!, { rawQuotes: true, rawEscapes: false });
  if (words.length !== 1 || raw.length !== 1) return undefined;
  const quotes = (text: string) => text.replaceAll(/[^'"]/g, '').length;
  return { name: words[0]!, expand: quotes(words[0]!) === quotes(raw[0]!), chomp: found[1] === '-' };
}

/** All markers of an instruction's text, in order. A text whose quotes do not close has none. */
export function findHeredocs(text: string): Omit<Heredoc, 'content'>[] {
  return tryWords(text, { rawQuotes: true, rawEscapes: true })
    .map(parseMarker)
    .filter((found) => found !== undefined);
}

function tryWords(text: string, raw: { rawQuotes: boolean; rawEscapes: boolean }): string[] {
  try {
    return expandWords(text, nothing, { escape: '\\', keepUnset: true, ...raw });
  } catch (thrown) {
    if (thrown instanceof ExpansionError) return [];
    throw thrown;
  }
}

/** `text` without the tabs its lines begin with. */
export function chompTabs(text: string): string {
  return text.replaceAll(/^\t+/gm, '');
}
