/** `cache_from` and `cache_to` of a build. Source: buildx, "--cache-from", "--cache-to"; BuildKit's cache backends. */
import { resolve } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import { parseReference } from '../images/reference.ts';

export type CacheFrom = { type: 'local'; directory: string } | { type: 'registry'; reference: string };

/** `isWhole`: every step, `mode=max`; otherwise those of the image itself. */
export type CacheTo = ({ type: 'local'; directory: string } | { type: 'registry'; reference: string }) & {
  isWhole: boolean;
  /** A cache that cannot be written is a warning. */
  isOptional: boolean;
};

export interface Caches {
  from: CacheFrom[];
  to: CacheTo[];
  /** The image's configuration has its steps. */
  isInline: boolean;
  /** What is left out, and why: for people. */
  unused: { entry: string; why: string }[];
}

type Fields = Record<string, string | undefined>;

/** Options that change how a cache is stored, and not what is in it. */
const neutral = ['compression', 'compression-level', 'force-compression', 'oci-mediatypes', 'image-manifest', 'tag'];
const known: Record<string, string[]> = {
  'from local': ['type', 'src', 'digest', 'tag'],
  'from registry': ['type', 'ref'],
  'to local': ['type', 'dest', 'mode', 'ignore-error'],
  'to registry': ['type', 'ref', 'mode', 'ignore-error'],
  'to inline': ['type'],
};

/** @throws StackError build.cache for an entry that names no place, image.reference */
export function readCaches(from: string[] = [], to: string[] = []): Caches {
  const caches: Caches = { from: [], to: [], isInline: false, unused: [] };
  const looked = (direction: 'from' | 'to', entry: string, { type, ...fields }: Fields) => {
    const options = known[`${direction} ${type}`];
    const unknown = options ? Object.keys(fields).filter((key) => !options.includes(key)) : [];
    for (const key of unknown) {
      const why = neutral.includes(key)
        ? `its ${key} has no effect: the layers of caches are kept as those of images`
        : `it has no option ${key}`;
      caches.unused.push({ entry, why });
    }
  };
  for (const entry of from) {
    const fields = fieldsOf(entry);
    looked('from', entry, fields);
    const { type, src, ref } = fields;
    if (type === 'local') caches.from.push({ type, directory: resolve(needed('cache_from', entry, 'src', src)) });
    else if (type === 'registry') {
      caches.from.push({ type, reference: parseReference(needed('cache_from', entry, 'ref', ref)).name });
    } else caches.unused.push({ entry, why: `there is no type ${type} here` });
  }
  for (const entry of to) {
    const fields = fieldsOf(entry);
    const { type, dest, ref, mode = 'min' } = fields;
    looked('to', entry, fields);
    if (mode !== 'min' && mode !== 'max') throw invalid('cache_to', entry, `mode is min or max, not ${mode}`);
    const common = { isWhole: mode === 'max', isOptional: fields['ignore-error'] === 'true' };
    if (type === 'local') {
      caches.to.push({ type, directory: resolve(needed('cache_to', entry, 'dest', dest)), ...common });
    } else if (type === 'registry') {
      caches.to.push({ type, reference: parseReference(needed('cache_to', entry, 'ref', ref)).name, ...common });
    } else if (type === 'inline') caches.isInline = true;
    else caches.unused.push({ entry, why: `there is no type ${type} here` });
  }
  return caches;
}

/** A cache only makes something faster: the build goes on without. */
export function warnOfCaches({ unused }: Caches, warn: (error: StackError) => void): void {
  if (unused.length === 0) return;
  warn(
    new StackError('build.not-supported', {
      message: `Build caches are not used as they are written: ${unused.map(({ entry, why }) => `${entry}: ${why}`).join('; ')}.`,
      hint: 'cache_from: type=local,src=DIRECTORY, type=registry,ref=NAME. cache_to: these with dest= and ref=, mode=min|max and ignore-error=true, and type=inline.',
    }),
  );
}

function needed(attribute: string, entry: string, field: string, value: string | undefined): string {
  if (value) return value;
  throw invalid(attribute, entry, `it needs ${field}=`);
}

const invalid = (attribute: string, entry: string, why: string) =>
  new StackError('build.cache', {
    message: `The build cache ${entry}: ${why}.`,
    hint: `Check \`build.${attribute}\` in the stack file.`,
  });

/** `type=local,src=path`; a bare name is that of an image at a registry. */
function fieldsOf(entry: string): Fields {
  if (!entry.includes('=')) return { type: 'registry', ref: entry };
  return Object.fromEntries(
    entry.split(',').map((field) => {
      const at = field.indexOf('=');
      return at < 0 ? [field.trim(), ''] : [field.slice(0, at).trim(), field.slice(at + 1)];
    }),
  );
}
