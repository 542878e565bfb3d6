/** Where the state lies: room for it, and whether a container's writable layer can be there. */
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { KernelError, KernelPort } from '../../schemas/kernel.ts';
import { type Check, check, type Machine } from './check.ts';

const mebibyte = 1 << 20;

export function storageChecks(machine: Machine): Check[] {
  const folder = nearest(machine.layout.root);
  return [
    space(machine, folder),
    filesystem(machine, folder),
    ...(machine.kernel ? [overlay(machine.kernel, folder)] : []),
  ];
}

/** Nothing was put there yet: the folder it will be made in. */
function nearest(path: string): string {
  return existsSync(path) || path === '/' ? path : nearest(dirname(path));
}

function space(machine: Machine, folder: string): Check {
  const { ok, warn, fail } = check('storage.space', 'Disk space');
  const { free, size, freeInodes, inodes } = machine.space(folder);
  const words = `${gibibytes(free)} of ${gibibytes(size)} free for ${machine.layout.root}`;
  const advice = '`stack image rm` removes images; STACK_ROOT moves everything to another disk.';
  if (free < 64 * mebibyte || (inodes > 0 && freeInodes < 1000)) return fail(words, advice);
  if (free < 2048 * mebibyte || (inodes > 0 && freeInodes < inodes / 50)) return warn(words, advice);
  return ok(words);
}

const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** include/uapi/linux/magic.h: file systems that overlayfs takes no upper directory from, or only some. */
const unfit = new Map([
  [0x794c7630, 'overlay'],
  [0x6969, 'nfs'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x4d44, 'vfat'],
  [0x2011bab0, 'exfat'],
  [0xf15f, 'ecryptfs'],
]);
const named = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
]);

function filesystem(machine: Machine, folder: string): Check {
  const { ok, fail } = check('storage.filesystem', 'File system');
  const { type } = machine.space(folder);
  const name = unfit.get(type);
  if (!name) return ok(named.get(type) ?? `0x${type.toString(16)}`);
  return fail(
    `${name} below ${machine.layout.root}`,
    'The writable layer of a container cannot be there: move it with STACK_ROOT to ext4, xfs, btrfs or tmpfs, or mount one there.',
  );
}

/** Does what a container's root needs: an overlay of two layers, and in the upper one its marks for what was removed. */
function overlay({ filesystem }: KernelPort, folder: string): Check {
  const { ok, fail } = check('kernel.overlay', 'Overlay mounts');
  let trial: string | undefined;
  const fds: number[] = [];
  try {
    trial = mkdtempSync(join(folder, '.stack-doctor-'));
    for (const name of ['one', 'two']) {
      mkdirSync(join(trial, name));
      fds.push(openSync(join(trial, name), 'r'));
    }
    filesystem.lsetxattr(fds[0]!, '', 'trusted.overlay.opaque', Buffer.from('y'));
    filesystem.mknodat(fds[0]!, 'whiteout', 0o020000, 0, 0);
    fds.push(filesystem.overlayView([...fds]));
    return ok(`work on ${folder}`);
  } catch (thrown) {
    const { step, code, message } = thrown as KernelError;
    return fail(
      `${step ? `${step}: ${code}` : message}, on ${folder}`,
      'Load the module `overlay`, and let STACK_ROOT lie on a file system with extended attributes and device files.',
    );
  } finally {
    for (const fd of fds) closeSync(fd);
    if (trial) rmSync(trial, { recursive: true, force: true });
  }
}
