/**
 * Files of the machine brought into a running container. Both sides are reached by descriptors alone. The target may lead
 * over links of the container, which the kernel follows inside its root (openat2(2), RESOLVE_IN_ROOT); below it everything is
 * a single component and no link is followed: what is a directory here becomes one there. A file is written beside its place
 * and renamed over it, so that nobody sees half of it.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import { copyEntry } from '../build/place.ts';
import { kindOf, statAt } from '../build/walk.ts';
import { removeTree } from '../images/remove-tree.ts';
import { Targets } from './targets.ts';

const { O_NOFOLLOW } = constants;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;

export interface Delivery {
  /** Absolute path of the rule on the machine, and in the container. */
  from: string;
  to: string;
  /** Below both; '' for a rule of one file. */
  path: string;
  /** Copied though size, time and mode are the same. */
  isChanged: boolean;
}

export interface Delivered {
  /** Entries that were written or removed. */
  count: number;
  errors: StackError[];
}

/** Brings the container's entries to what the machine has now at the same paths: what is gone here is removed there. */
export async function deliver(
  verbs: FilesystemVerbs,
  root: Fd,
  deliveries: Delivery[],
  container: string,
): Promise<Delivered> {
  const delivered: Delivered = { count: 0, errors: [] };
  using targets = new Targets(verbs, root);
  const work = new Work(verbs, targets);
  // Parents before what is in them; what is gone is removed in the other direction.
  const ordered = [...deliveries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const gone: Delivery[] = [];
  const one = (step: () => boolean, { to, path }: Delivery) => {
    try {
      if (step()) delivered.count++;
    } catch (error) {
      delivered.errors.push(refused(error, container, path ? `${to}/${path}` : to));
    }
  };
  try {
    for (const [at, delivery] of ordered.entries()) {
      if (at % 256 === 255) await breathe();
      one(() => {
        const isThere = work.put(delivery);
        if (isThere === undefined) gone.push(delivery);
        return isThere === true;
      }, delivery);
    }
    for (const delivery of gone.reverse()) one(() => work.remove(delivery), delivery);
  } finally {
    work.close();
  }
  return delivered;
}

class Work {
  private readonly verbs: FilesystemVerbs;
  private readonly targets: Targets;
  private source: { path: string; fd: Fd } | undefined;
  private serial = 0;

  constructor(verbs: FilesystemVerbs, targets: Targets) {
    this.verbs = verbs;
    this.targets = targets;
  }

  close(): void {
    if (this.source) closeSync(this.source.fd);
  }

  /** False where it is as it should be already, undefined where the machine has nothing of that name. */
  put({ from, to, path, isChanged }: Delivery): boolean | undefined {
    const { verbs } = this;
    const [above, name] = split(from, path);
    const parent = this.sourceDirectory(from, above);
    const stat = parent === undefined ? undefined : missing(() => statAt(verbs, parent, name));
    if (parent === undefined || stat === undefined) return undefined;
    const kind = kindOf(stat);
    if (kind === 'directory') return this.targets.directory(to, path, Number(stat.mode) & 0o7777, isChanged);
    if (kind !== 'file' && kind !== 'symlink') return false;
    const [into, as] = this.targets.place(to, path);
    const there = missing(() => statAt(verbs, into, as));
    const isSame = there && !isChanged && kindOf(there) === kind && there.size === stat.size;
    if (isSame && there.mtimeNs === stat.mtimeNs && there.mode === stat.mode) return false;
    const owner = there ?? fstatSync(into, { bigint: true });
    const over = { uid: Number(owner.uid), gid: Number(owner.gid) };
    const beside = `.stack-sync-${process.pid}-${this.serial++}~`;
    try {
      const found = { path, parent, name, kind, stat };
      const isCopied = missing(() => {
        copyEntry(verbs, found, into, beside, over);
        return true;
      });
      if (!isCopied) {
        removeTree(verbs, into, beside);
        return undefined;
      }
      if (there && kindOf(there) === 'directory') {
        this.targets.forget(to, path);
        removeTree(verbs, into, as);
      }
      verbs.renameat(into, beside, into, as);
    } catch (error) {
      removeTree(verbs, into, beside);
      throw error;
    }
    return true;
  }

  /** A directory that has something else in it stays. */
  remove({ to, path }: Delivery): boolean {
    const place = this.targets.existing(to, path);
    if (!place) return false;
    const [into, name] = place;
    try {
      const stat = missing(() => statAt(this.verbs, into, name));
      if (!stat) return false;
      const isDirectory = kindOf(stat) === 'directory';
      if (isDirectory) this.targets.forget(to, path);
      this.verbs.unlinkat(into, name, isDirectory);
      return true;
    } catch (error) {
      if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as KernelError).code)) return false;
      throw error;
    }
  }

  /** The directory `above` of a rule's path; undefined where there is none. */
  private sourceDirectory(from: string, above: string | undefined): Fd | undefined {
    const path = above === undefined ? from.slice(0, from.lastIndexOf('/')) || '/' : `${from}/${above}`;
    if (this.source?.path === path) return this.source.fd;
    if (this.source) closeSync(this.source.fd);
    this.source = undefined;
    const fd = missing(() => {
      if (above === undefined) return openSync(path, O_PATH | constants.O_DIRECTORY | O_CLOEXEC);
      const top = openSync(from, O_PATH | constants.O_DIRECTORY | O_CLOEXEC);
      const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
      try {
        return this.verbs.openat2(top, above || '.', { flags: O_PATH | constants.O_DIRECTORY | O_NOFOLLOW, resolve });
      } finally {
        closeSync(top);
      }
    });
    if (fd !== undefined) this.source = { path, fd };
    return fd;
  }
}

/** Directory below the rule's path and name in it; a rule of one file has no directory of its own. */
function split(from: string, path: string): [above: string | undefined, name: string] {
  if (path === '') return [undefined, from.slice(from.lastIndexOf('/') + 1)];
  const at = path.lastIndexOf('/');
  return [path.slice(0, Math.max(0, at)), path.slice(at + 1)];
}

function missing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as KernelError).code)) return undefined;
    throw error;
  }
}

function refused(thrown: unknown, container: string, path: string): StackError {
  const { errno = '', message } = asStackError(thrown);
  const hints: Record<string, string> = {
    EROFS: 'Take `read_only` away from the service or mount a volume there: a read-only file system takes no files.',
    EBUSY: 'Something is mounted on it: change what is mounted, or leave the path out by `ignore`.',
    ENOSPC: 'Make room: `stack gc` removes what is not used.',
    ENOTDIR: 'A file of the container is in the way of a directory: remove it, or choose another target.',
    EXDEV: 'Something is mounted on it: change what is mounted, or leave the path out by `ignore`.',
  };
  return new StackError('runtime.sync', {
    message: `${path} of ${container} could not be written: ${errno || message}`,
    hint: hints[errno] ?? 'Save the file again; `stack restart` brings everything that is missing.',
    resource: `container ${container}`,
    operation: 'sync',
    errno: errno || undefined,
    cause: thrown,
  });
}
