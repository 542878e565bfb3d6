/**
 * One at a time copies into the containers of a service: a watch, or the command that starts one of them. That command has its
 * turn before it mounts the container's file system: what a watch wrote through the mount of the last start, behind the back
 * of the new one over the same directory, would be seen by halves (kernel overlayfs.rst, "Changes to underlying filesystems").
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import type { Host } from '../host.ts';

/** Waits for the others, in the kernel. Disposing lets the next one go on. */
export async function takeTurn({ kernel, layout }: Host, stack: string, service: string): Promise<Disposable> {
  const directory = layout.watchDir(stack);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fd = openSync(`${directory}/${service}.lock`, 'a', 0o600);
  await kernel.filesystem.flock(fd, 'exclusive', true);
  return { [Symbol.dispose]: () => closeSync(fd) };
}
