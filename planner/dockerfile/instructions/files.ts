/** COPY and ADD. Source: Dockerfile reference, "COPY", "ADD". */
import type { AddInstruction, CopyInstruction, FileSources, Heredoc } from '../../../schemas/dockerfile.ts';
import { readFlags } from '../flags.ts';
import { chompTabs, parseMarker } from '../heredoc.ts';
import { refuse } from '../site.ts';
import { jsonWords, plainWords } from '../words.ts';
import type { Reading } from './reading.ts';

const shared = { chown: 'text', chmod: 'text', link: 'flag', exclude: 'list' } as const;

export function readCopy(reading: Reading): CopyInstruction {
  const { source, keyword } = reading;
  const flags = readFlags(source, 'COPY', reading.flags, { from: 'text', ...shared, parents: 'flag' });
  return {
    kind: 'copy',
    keyword,
    source,
    ...sourcesOf(reading, flags),
    parents: flags.parents ?? false,
    ...(flags.from ? { from: flags.from } : {}),
  };
}

export function readAdd(reading: Reading): AddInstruction {
  const { source, keyword } = reading;
  const own = { 'keep-git-dir': 'flag', checksum: 'text', unpack: 'flag' } as const;
  const flags = readFlags(source, 'ADD', reading.flags, { ...shared, ...own });
  const keep = flags['keep-git-dir'];
  return {
    kind: 'add',
    keyword,
    source,
    ...sourcesOf(reading, flags),
    ...(flags.checksum ? { checksum: flags.checksum } : {}),
    ...(keep === undefined ? {} : { keepGitDirectory: keep }),
    ...(flags.unpack === undefined ? {} : { unpack: flags.unpack }),
  };
}

interface SharedFlags {
  chown: string | undefined;
  chmod: string | undefined;
  link: boolean | undefined;
  exclude: string[];
}

function sourcesOf({ source, name, rest }: Reading, flags: SharedFlags): FileSources {
  const json = jsonWords(rest);
  if (json && 'broken' in json && json.broken === 'items') {
    refuse(source, `${name} in JSON form takes strings only.`, { word: rest });
  }
  const isJson = json !== undefined && 'words' in json;
  const words = isJson ? json.words : plainWords(rest);
  const destination = words.at(-1);
  if (destination === undefined || words.length < 2) {
    const hint = `It reads ${name} source… destination.`;
    refuse(source, `${name} needs a source and a destination.`, { hint, word: rest });
  }
  if (!isJson && parseMarker(destination)) {
    refuse(source, `${name} takes no heredoc as its destination.`, { word: destination });
  }
  const sources: string[] = [];
  const heredocs: Heredoc[] = [];
  for (const word of words.slice(0, -1)) {
    const marker = isJson ? undefined : parseMarker(word);
    if (!marker) sources.push(word);
    else {
      const content = source.heredocs.findLast((heredoc) => heredoc.name === marker.name)?.content ?? '';
      heredocs.push({ ...marker, content: marker.chomp ? chompTabs(content) : content });
    }
  }
  return {
    sources,
    heredocs,
    destination,
    link: flags.link ?? false,
    exclude: flags.exclude,
    ...(flags.chown ? { chown: flags.chown } : {}),
    ...(flags.chmod ? { chmod: flags.chmod } : {}),
  };
}
