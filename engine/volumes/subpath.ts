/** `volume.subpath`: a path below a volume's directory, in which containers may have put links. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { VolumeRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import { contentOf } from './attach.ts';

const O_PATH = 0o10000000;
/** linux/openat2.h. */
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_BENEATH = 0x08;

/** Told before anything starts; the container's first process looks it up anew. @throws volume.subpath */
export function checkSubpath(verbs: FilesystemVerbs, record: VolumeRecord, subpath: string, resource: string) {
  const root = openSync(contentOf(record), constants.O_DIRECTORY);
  try {
    const resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const found = verbs.openat2(root, subpath, { flags: O_PATH, resolve });
    const isDirectory = fstatSync(found).isDirectory();
    closeSync(found);
    return { isDirectory };
  } catch (thrown) {
    throw subpathError((thrown as NodeJS.ErrnoException).code ?? '', subpath, { resource, volume: record.name });
  } finally {
    closeSync(root);
  }
}

/** openat2(2): EXDEV is a path, or a link on the way, that leads out. */
export function subpathError(errno: string, path: string, about: { resource: string; volume: string }): StackError {
  const { resource, volume } = about;
  const why: Record<string, string> = {
    EXDEV: `leads out of the volume ${volume}`,
    ENOENT: `is not in the volume ${volume}`,
    ENOTDIR: `passes through a file of the volume ${volume}`,
    ELOOP: `goes through links of the volume ${volume} without end`,
  };
  return new StackError('volume.subpath', {
    message: `${resource}: the subpath ${path} ${why[errno] ?? `of the volume ${volume} cannot be used: ${errno}`}`,
    hint:
      errno === 'ENOENT'
        ? 'Make it in the volume first, by a container that mounts the whole of it; it is never made.'
        : 'Name a file or directory of the volume by a relative path that stays inside it.',
    resource,
    errno,
  });
}
