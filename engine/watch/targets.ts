/** Directories of a container that files are put into, by descriptor, made where they are missing. */
import { closeSync, constants, fstatSync } from 'node:fs';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import { components } from '../build/resolve.ts';
import { removeTree } from '../images/remove-tree.ts';

const { O_DIRECTORY, O_NOFOLLOW } = constants;
const O_PATH = 0o10000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;

/** Most directories that are kept open at once. */
const mostOpen = 128;

/** Of one run of deliveries: no directory is opened twice. */
export class Targets implements Disposable {
  private readonly verbs: FilesystemVerbs;
  private readonly root: Fd;
  private readonly open = new Map<string, Fd>();

  constructor(verbs: FilesystemVerbs, root: Fd) {
    this.verbs = verbs;
    this.root = root;
  }

  [Symbol.dispose](): void {
    for (const fd of this.open.values()) closeSync(fd);
    this.open.clear();
  }

  /** The directory that `path` below the target lies in, made where it is missing, and the name there. */
  place(target: string, path: string): [Fd, string] {
    if (path !== '') {
      const at = path.lastIndexOf('/');
      return [this.inside(target, path.slice(0, Math.max(0, at)))!, path.slice(at + 1)];
    }
    const at = target.lastIndexOf('/');
    return [this.top(target.slice(0, at) || '/')!, target.slice(at + 1)];
  }

  /** The same where it is there; undefined where not. */
  existing(target: string, path: string): [Fd, string] | undefined {
    const at = (path || target).lastIndexOf('/');
    const fd =
      path === ''
        ? this.top(target.slice(0, at) || '/', false)
        : this.inside(target, path.slice(0, Math.max(0, at)), false);
    return fd === undefined ? undefined : [fd, (path || target).slice(at + 1)];
  }

  /** A directory with this mode. False where it was so already. */
  directory(target: string, path: string, mode: number, isForced: boolean): boolean {
    const isNew = path !== '' && this.existing(target, path) !== undefined && !this.has(target, path);
    const fd = this.inside(target, path)!;
    const isOther = (fstatSync(fd).mode & 0o7777) !== mode;
    // The target itself is the image's, or whoever mounted it.
    if (path !== '' && (isOther || isForced)) this.verbs.fchmod(fd, mode);
    return isNew || (path !== '' && isOther);
  }

  /** It is about to be removed. */
  forget(target: string, path: string): void {
    for (const [key, fd] of this.open) {
      if (key !== `${target}:${path}` && !key.startsWith(`${target}:${path}/`)) continue;
      closeSync(fd);
      this.open.delete(key);
    }
  }

  private has(target: string, path: string): boolean {
    const [fd, name] = this.existing(target, path)!;
    try {
      closeSync(this.verbs.openat2(fd, name, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW }));
      return true;
    } catch {
      return false;
    }
  }

  private inside(target: string, path: string, mayMake = true): Fd | undefined {
    if (path === '') return this.top(target, mayMake);
    const key = `${target}:${path}`;
    const known = this.open.get(key);
    if (known !== undefined) return known;
    const at = path.lastIndexOf('/');
    const parent = this.inside(target, path.slice(0, Math.max(0, at)), mayMake);
    return parent === undefined ? undefined : this.keep(key, this.step(parent, path.slice(at + 1), mayMake));
  }

  /** Links of the container are followed, inside its root. */
  private top(path: string, mayMake = true): Fd | undefined {
    const key = `${path}:`;
    const known = this.open.get(key);
    if (known !== undefined) return known;
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const find = (at: string) => this.verbs.openat2(this.root, at || '.', { flags: O_PATH | O_DIRECTORY, resolve });
    const names = components(path);
    try {
      return this.keep(key, find(names.join('/')));
    } catch (error) {
      if ((error as KernelError).code !== 'ENOENT') throw error;
    }
    if (!mayMake) return undefined;
    const above = this.top(`/${names.slice(0, -1).join('/')}`)!;
    return this.keep(key, this.step(above, names.at(-1)!, true));
  }

  /** One component down. What is no directory gives way to one. */
  private step(parent: Fd, name: string, mayMake: boolean): Fd | undefined {
    const { verbs } = this;
    const find = () => verbs.openat2(parent, name, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW });
    try {
      return find();
    } catch (error) {
      const { code } = error as KernelError;
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
      if (!mayMake) return undefined;
      if (code !== 'ENOENT') removeTree(verbs, parent, name);
    }
    verbs.mkdirat(parent, name, 0o755);
    const fd = find();
    const { uid, gid } = fstatSync(parent);
    verbs.fchownat(fd, '', uid, gid);
    verbs.fchmod(fd, 0o755);
    return fd;
  }

  private keep(key: string, fd: Fd | undefined): Fd | undefined {
    if (fd === undefined) return undefined;
    if (this.open.size >= mostOpen) {
      const [oldest, old] = this.open.entries().next().value!;
      closeSync(old);
      this.open.delete(oldest);
    }
    this.open.set(key, fd);
    return fd;
  }
}
