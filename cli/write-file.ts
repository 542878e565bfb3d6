/** Files that commands write archives into. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { asStackError } from '../schemas/errors.ts';

/** There whole, or not at all. A pipe or device is written as it is. @throws StackError `host.disk-full`, `image.archive` */
export async function writeFile(
  path: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const isPlace = path.startsWith('/dev/');
  const temporary = isPlace ? path : `${path}.${process.pid}.tmp`;
  let fd: number | undefined;
  try {
    fd = openSync(temporary, isPlace ? 'w' : 'wx', 0o600);
    for await (const chunk of content) for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
    if (!isPlace) {
      fsyncSync(fd);
      renameSync(temporary, path);
    }
  } catch (thrown) {
    if (!isPlace) rmSync(temporary, { force: true });
    const isFull = (thrown as NodeJS.ErrnoException).code === 'ENOSPC';
    throw asStackError(thrown, isFull ? 'host.disk-full' : 'image.archive', {
      message: `${path} cannot be written: ${(thrown as Error).message}.`,
      hint: 'Nothing of it was kept.',
    });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
