/** Who a container's process is: user strings resolved against the image's own /etc/passwd and /etc/group, as docker does. */
import { close, closeSync, constants, openSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, KernelPort } from '../../schemas/kernel.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import { largestRootFile, readRootFile } from './root-file.ts';

export interface User {
  uid: number;
  gid: number;
  /** Every group of the process, the primary one first. */
  additionalGids: number[];
  /** Home directory for HOME: `/` where the image knows none. */
  home: string;
}

/** passwd(5) and group(5), as far as they matter here, in the order of the files. */
export interface Accounts {
  users: { name: string; uid: number; gid: number; home: string }[];
  groups: { name: string; gid: number; members: string[] }[];
}

const maxId = 0x7fff_ffff;

/**
 * `user` in one of its forms: empty (root), `name`, `uid`, and either with `:group` or `:gid`. Without a group, the
 * user's own and all that list it as a member; with one, that one alone. A number need not be in the files.
 * @param groupAdd names or numbers of further groups.
 * @throws runtime.unknown-user
 */
export function resolveUser(accounts: Accounts, user: string, groupAdd: string[], resource: string): User {
  const [userPart = '', groupPart = ''] = user.split(/:(.*)/s);
  const uid = userPart === '' ? 0 : toId(userPart);
  const entry = accounts.users.find((one) => (userPart !== '' && one.name === userPart) || one.uid === uid);
  if (!entry && uid === null) throw unknown('user', userPart, '/etc/passwd', accounts.users, `${resource}.user`);

  const found: User = { uid: entry?.uid ?? uid!, gid: entry?.gid ?? 0, additionalGids: [], home: entry?.home || '/' };
  if (groupPart !== '') found.gid = groupId(accounts, groupPart, `${resource}.user`);
  const memberships =
    groupPart === '' && entry ? accounts.groups.filter((one) => one.members.includes(entry.name)) : [];
  const added = groupAdd.map((group) => groupId(accounts, group, `${resource}.group_add`));
  found.additionalGids = [...new Set([found.gid, ...memberships.map((one) => one.gid), ...added])];
  return found;
}

function groupId(accounts: Accounts, text: string, resource: string): number {
  const gid = toId(text);
  const entry = accounts.groups.find((one) => one.name === text || one.gid === gid);
  if (!entry && gid === null) throw unknown('group', text, '/etc/group', accounts.groups, resource);
  return entry?.gid ?? gid!;
}

function toId(text: string): number | null {
  return /^\d{1,10}$/.test(text) && Number(text) <= maxId ? Number(text) : null;
}

function unknown(kind: string, text: string, file: string, entries: { name: string }[], resource: string): StackError {
  const names = entries.map((one) => one.name).slice(0, 30);
  const known = names.length === 0 ? `The image has no ${file}` : `${file} of the image knows: ${names.join(', ')}`;
  return new StackError('runtime.unknown-user', {
    message: `${resource}: the image knows no ${kind} "${text}"`,
    hint: `${known}. A number from 0 to ${maxId} always works.`,
    resource,
    exitCode: 125,
  });
}

/** Lines that do not parse are passed over, as the C library does. */
export function parseAccounts(passwd: string, group: string): Accounts {
  const fields = (text: string) => text.split('\n').map((line) => line.trim().split(':'));
  return {
    users: fields(passwd).flatMap(([name, , uid, gid, , home]) =>
      name && toId(uid ?? '') !== null && toId(gid ?? '') !== null
        ? [{ name, uid: Number(uid), gid: Number(gid), home: home ?? '' }]
        : [],
    ),
    groups: fields(group).flatMap(([name, , gid, members]) =>
      name && toId(gid ?? '') !== null
        ? [{ name, gid: Number(gid), members: (members ?? '').split(',').filter(Boolean) }]
        : [],
    ),
  };
}

const O_PATH = 0o10000000;

/** The accounts of a root file system by its descriptor: of an image, or of a running container (/proc/<pid>/root). */
export function readAccounts(kernel: KernelPort, root: Fd): Accounts {
  return parseAccounts(readText(kernel, root, 'etc/passwd'), readText(kernel, root, 'etc/group'));
}

/** Empty where the file is missing or no regular file. */
function readText(kernel: KernelPort, root: Fd, path: string): string {
  const file = readRootFile(kernel, root, path);
  if (file && !file.isWhole) {
    throw new StackError('runtime.unknown-user', {
      message: `/${path} of the image is larger than ${largestRootFile} bytes`,
      hint: 'Users and groups of a container are looked up in this file; rebuild the image with a smaller one.',
    });
  }
  return file?.text ?? '';
}

const cache = new Map<string, Accounts>();

/** The accounts of an image, over all its layers; read once for each image in the life of the process. */
export function imageAccounts(kernel: KernelPort, image: Pick<StoredImage, 'id' | 'layers'>): Accounts {
  const known = cache.get(image.id);
  if (known) return known;
  const layers = image.layers.map((path) => openSync(path, O_PATH | constants.O_DIRECTORY));
  let view: Fd | undefined;
  try {
    // One layer is its own view; several are seen through overlayfs, which knows whiteouts.
    view = layers.length > 1 ? kernel.filesystem.overlayView(layers) : undefined;
    const accounts = layers.length === 0 ? { users: [], groups: [] } : readAccounts(kernel, view ?? layers[0]!);
    cache.set(image.id, accounts);
    return accounts;
  } finally {
    for (const fd of layers) closeSync(fd);
    // On a thread: the end of a mount waits for the kernel.
    if (view !== undefined) close(view);
  }
}
