/** `cache_from` and `cache_to` of a build. Source: buildx, "--cache-from", "--cache-to"; cache backends, local. */
import { resolve } from 'node:path';
import { StackError } from '../../schemas/errors.ts';

export interface Caches {
  /** Directories. */
  from: string[];
  /** `isWhole`: every step, `mode=max`; otherwise those of the image itself. */
  to: { directory: string; isWhole: boolean }[];
  /** Entries of other kinds, as written. */
  unknown: string[];
}

export function readCaches(from: string[] = [], to: string[] = []): Caches {
  const caches: Caches = { from: [], to: [], unknown: [] };
  for (const entry of from) {
    const { type, src } = fieldsOf(entry);
    if (type === 'local' && src) caches.from.push(resolve(src));
    else caches.unknown.push(entry);
  }
  for (const entry of to) {
    const { type, dest, mode } = fieldsOf(entry);
    if (type === 'local' && dest) caches.to.push({ directory: resolve(dest), isWhole: mode === 'max' });
    else caches.unknown.push(entry);
  }
  return caches;
}

/** A cache only makes something faster: the build goes on without. */
export function warnOfCaches({ unknown }: Caches, warn: (error: StackError) => void): void {
  if (unknown.length === 0) return;
  warn(
    new StackError('build.not-supported', {
      message: `Build caches of this kind are not used: ${unknown.join(' ')}.`,
      hint: 'Supported: type=local,src=DIRECTORY in cache_from, type=local,dest=DIRECTORY[,mode=max] in cache_to.',
    }),
  );
}

/** `type=local,src=path`; a bare name is an image's. */
function fieldsOf(entry: string): Record<string, string | undefined> {
  return Object.fromEntries(
    entry.split(',').map((field) => {
      const at = field.indexOf('=');
      return at < 0 ? [field, ''] : [field.slice(0, at).trim(), field.slice(at + 1)];
    }),
  );
}
