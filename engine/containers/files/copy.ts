/**
 * Files from one root to another, as a tar and back: `stack cp`. Either end may be a container's, where everything can change
 * under our hands: names are walked from descriptors, what is copied is the very file that was looked at.
 * What lands where: docker's reference of `docker cp`.
 */
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { asStackError, StackError } from '../../../schemas/errors.ts';
import type { Fd, FilesystemVerbs } from '../../../schemas/kernel.ts';
import { damaged, decompressor, magicLength } from '../../images/compression.ts';
import { Extractor } from '../../images/extract.ts';
import { TarReader } from '../../images/tar.ts';
import { treeTar } from '../../images/tree-tar.ts';
import { locate, type Place } from './locate.ts';

export interface CopyEnd {
  root: Fd;
  path: string;
  /** The path as it was asked for: its last name is what a copy is called, though `path` may lead into a volume. */
  asked: string;
  /** As messages call it: `web:/etc/hosts`. */
  shown: string;
}

/** `follows`: of a symbolic link its target is copied (`-L`). @throws StackError `copy.path` */
export function copy(verbs: FilesystemVerbs, from: CopyEnd, to: CopyEnd, follows: boolean): void {
  using source = findSource(verbs, from, follows);
  using target = placeOf(verbs, to, true);
  if (!target) throw missing(to, 'the directory it is in does not exist');
  const { directory, name } = landing(source, from, target, to);
  guarded(to, () =>
    extract(verbs, directory, (reader) => {
      for (const piece of treeTar(verbs, source.fd!, name)) reader.push(piece);
    }),
  );
}

/** Pieces of a tar with what is at `from`, under its own name. @throws StackError `copy.path` */
export function* copyOut(verbs: FilesystemVerbs, from: CopyEnd, follows: boolean): Generator<Uint8Array> {
  using source = findSource(verbs, from, follows);
  yield* treeTar(verbs, source.fd!, nameOf(from));
}

/** The entries of a tar, plain or compressed, into the directory `to`. @throws StackError `copy.path` */
export async function copyIn(verbs: FilesystemVerbs, archive: Readable, to: CopyEnd): Promise<void> {
  using target = placeOf(verbs, to, true);
  if (target?.kind !== 'directory') throw missing(to, 'it is no directory: an archive needs one to go to');
  const extractor = new Extractor(verbs, target.fd!, process.umask(), true);
  const reader = new TarReader(extractor);
  try {
    for await (const chunk of plain(archive)) reader.push(chunk);
    reader.finish();
    extractor.finish();
  } catch (thrown) {
    throw asCopyError(to, thrown);
  } finally {
    extractor.close();
  }
}

function findSource(verbs: FilesystemVerbs, from: CopyEnd, follows: boolean): Place {
  const found = placeOf(verbs, from, follows);
  if (found?.fd != null) return found;
  found?.[Symbol.dispose]();
  throw missing(from, 'there is no such file or directory');
}

function placeOf(verbs: FilesystemVerbs, end: CopyEnd, follows: boolean): Place | null {
  return guarded(end, () => locate(verbs, end.root, end.path, follows));
}

/** The directory that takes it, and the name it gets there. */
function landing(source: Place, from: CopyEnd, target: Place, to: CopyEnd): { directory: Fd; name: string } {
  const isDirectory = source.kind === 'directory';
  if (target.kind === 'directory') return { directory: target.fd!, name: nameOf(from) };
  if (target.kind !== null) {
    if (isDirectory) throw missing(to, `a directory cannot take the place of a file`);
    if (to.asked.endsWith('/')) throw missing(to, 'it is no directory');
    if (target.kind === 'other') throw missing(to, 'it is neither a directory nor a regular file');
  } else if (!isDirectory && to.asked.endsWith('/')) throw missing(to, 'there is no such directory');
  return { directory: target.parent!, name: target.name };
}

/** `.` for the content alone: of `dir/.`, and of the root. */
function nameOf({ asked: path }: CopyEnd): string {
  if (/(?:^|\/)\.\.?\/*$/.test(path)) return '.';
  return posix.basename(path) || '.';
}

function extract(verbs: FilesystemVerbs, directory: Fd, feed: (reader: TarReader) => void): void {
  const extractor = new Extractor(verbs, directory, process.umask(), true);
  try {
    const reader = new TarReader(extractor);
    feed(reader);
    reader.finish();
    extractor.finish();
  } finally {
    extractor.close();
  }
}

async function* plain(archive: Readable): AsyncGenerator<Uint8Array> {
  const iterator = archive[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let start = Buffer.alloc(0);
  while (start.length < magicLength) {
    const { value, done } = await iterator.next();
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  const rest = async function* () {
    yield start;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  };
  const decoder = decompressor(start);
  if (!decoder) return yield* rest();
  const { Readable: From, pipeline } = await import('node:stream');
  pipeline(From.from(rest()), decoder, () => {});
  try {
    for await (const chunk of decoder) yield chunk as Buffer;
  } catch (thrown) {
    throw damaged(thrown as NodeJS.ErrnoException);
  }
}

function guarded<T>(end: CopyEnd, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw asCopyError(end, thrown);
  }
}

function missing({ shown }: CopyEnd, why: string): StackError {
  return new StackError('copy.path', { message: `${shown}: ${why}.` });
}

/** What the rooms of images say of layers is told of the place that was copied to. */
function asCopyError({ shown }: CopyEnd, thrown: unknown): StackError {
  const error = asStackError(thrown, 'copy.path');
  if (error.code === 'copy.path' && error === thrown) return error;
  const errno = error.errno ?? (thrown as NodeJS.ErrnoException).code;
  const words: Record<string, string> = {
    ENOTDIR: 'its path leads through something that is no directory',
    EROFS: 'the file system is read-only',
    ENOSPC: 'no space left on device',
    ELOOP: 'its path leads through a link of /proc, or too many links',
    EBUSY: 'something is mounted there',
  };
  const why = (errno && words[errno]) || error.message.replace(/\.$/, '').replaceAll('of the layer ', '');
  return new StackError(errno === 'ENOSPC' ? 'host.disk-full' : 'copy.path', {
    message: `${shown}: ${why}.`,
    hint: 'What came before it was copied.',
    errno,
    cause: thrown,
  });
}
