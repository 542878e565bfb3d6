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
  /**
   * It is to be removed, whatever is there now: what came to be since the machine was looked at is told by itself. Copied, it
   * might be gone before anybody has seen it, and nobody would remove it.
   */
  isGone: boolean;
}

export interface Delivered {
  /** Entries that were written or removed. */
  count: number;
  errors: StackError[];
}

/** How often what failed is tried: directories that somebody else moved or removed meanwhile are opened anew. */
const rounds = 4;

/** Brings the container's entries to what the machine has now at the same paths: what is gone here is removed there. */
export async function deliver(
  verbs: FilesystemVerbs,
  root: Fd,
  deliveries: Delivery[],
  container: string,
): Promise<Delivered> {
  const delivered: Delivered = { count: 0, errors: [] };
  // Parents before what is in them; what is gone is removed in the other direction.
  let todo = [...deliveries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  for (let round = 1; todo.length > 0 && round <= rounds; round++) {
    const { count, failed, kept } = await deliverOnce(verbs, root, todo);
    delivered.count += count;
    if (failed.size === 0) break;
    // A directory that could not go because of what failed to.
    todo = todo.filter((one) => failed.has(one) || kept.has(one));
    if (round < rounds) continue;
    delivered.errors = [...failed].map(([{ to, path }, error]) =>
      refused(error, container, path ? `${to}/${path}` : to),
    );
  }
  return delivered;
}

interface Round {
  count: number;
  failed: Map<Delivery, unknown>;
  /** Directories that are gone here and hold something there. */
  kept: Set<Delivery>;
}

async function deliverOnce(verbs: FilesystemVerbs, root: Fd, deliveries: Delivery[]): Promise<Round> {
  const round: Round = { count: 0, failed: new Map(), kept: new Set() };
  using targets = new Targets(verbs, root);
  using work = new Work(verbs, targets);
  const gone: Delivery[] = [];
  const attempt = <T>(step: () => T, delivery: Delivery): T | undefined => {
    try {
      return step();
    } catch (error) {
      round.failed.set(delivery, error);
      return undefined;
    }
  };
  for (const [at, delivery] of deliveries.entries()) {
    if (at % 256 === 255) await breathe();
    const outcome = attempt(() => work.put(delivery), delivery);
    if (outcome === 'gone') gone.push(delivery);
    else if (outcome === 'done') round.count++;
  }
  for (const delivery of gone.reverse()) {
    const outcome = attempt(() => work.remove(delivery), delivery);
    if (outcome === 'kept') round.kept.add(delivery);
    else if (outcome === 'done') round.count++;
  }
  return round;
}

class Work implements Disposable {
  private readonly verbs: FilesystemVerbs;
  private readonly targets: Targets;
  private source: { path: string; fd: Fd } | undefined;
  private serial = 0;

  constructor(verbs: FilesystemVerbs, targets: Targets) {
    this.verbs = verbs;
    this.targets = targets;
  }

  [Symbol.dispose](): void {
    if (this.source) closeSync(this.source.fd);
  }

  /** `same` where it is as it should be already, `gone` where the machine has nothing of that name. */
  put({ from, to, path, isChanged, isGone }: Delivery): 'done' | 'same' | 'gone' {
    const { verbs } = this;
    if (isGone) return 'gone';
    const [above, name] = split(from, path);
    const parent = this.sourceDirectory(from, above);
    const stat = parent === undefined ? undefined : missing(() => statAt(verbs, parent, name));
    if (parent === undefined || stat === undefined) return 'gone';
    const kind = kindOf(stat);
    if (kind === 'directory') {
      return this.targets.directory(to, path, Number(stat.mode) & 0o7777, isChanged) ? 'done' : 'same';
    }
    if (kind !== 'file' && kind !== 'symlink') return 'same';
    const [into, as] = this.targets.place(to, path);
    const there = missing(() => statAt(verbs, into, as));
    const isSame = there && !isChanged && kindOf(there) === kind && there.size === stat.size;
    if (isSame && there.mtimeNs === stat.mtimeNs && there.mode === stat.mode) return 'same';
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
        return 'gone';
      }
      if (there && kindOf(there) === 'directory') {
        this.targets.forget(to, path);
        removeTree(verbs, into, as);
      }
      verbs.renameat(into, beside, into, as);
    } catch (error) {
      missing(() => removeTree(verbs, into, beside));
      throw error;
    }
    return 'done';
  }

  /** A directory that has something else in it stays. */
  remove({ to, path }: Delivery): 'done' | 'kept' | 'gone' {
    const place = this.targets.existing(to, path);
    if (!place) return 'gone';
    const [into, name] = place;
    try {
      const stat = missing(() => statAt(this.verbs, into, name));
      if (!stat) return 'gone';
      const isDirectory = kindOf(stat) === 'directory';
      if (isDirectory) this.targets.forget(to, path);
      this.verbs.unlinkat(into, name, isDirectory);
      return 'done';
    } catch (error) {
      const { code } = error as KernelError;
      if (code === 'ENOENT') return 'gone';
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return 'kept';
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
