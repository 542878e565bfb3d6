/**
 * Turns the entries of a layer into files below one directory descriptor. Every name is walked by the kernel from that
 * descriptor (openat2 RESOLVE_BENEATH, then calls on single components), so that no entry can reach outside, whatever links the
 * archive made before. Source: image-spec layer.md; overlayfs "whiteouts and opaque directories".
 */
import { closeSync, constants, ftruncateSync, writeSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import { setMetadata, setOpaque } from './extract-metadata.ts';
import { bound, failed, hostile, limits, notReplaced, refused, safePath } from './extract-path.ts';
import { beneath, isDirectory, makeHardLink, O_PATH, openDirectory } from './extract-walk.ts';
import { removeTree } from './remove-tree.ts';
import type { TarEntry, TarSink } from './tar.ts';
import { malformed } from './tar-header.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_WRONLY, S_IFBLK, S_IFCHR, S_IFIFO } = constants;
const S_ISGID = 0o2000;

const whiteoutPrefix = '.wh.';
const opaqueMarker = '.wh..wh..opq';

export class Extractor implements TarSink {
  readonly #verbs: FilesystemVerbs;
  readonly #root: Fd;
  readonly #umask: number;
  readonly #isTree: boolean;
  /** The directory of the last entry: archives list a directory's children one after the other. */
  #parentPath = '';
  #parent: Fd;
  #file: { fd: Fd; entry: TarEntry; position: number; hasHoles: boolean } | null = null;
  /** Directories to finish when nothing is made in them any more: times, and modes whose setgid bit children would inherit. */
  readonly #directories = new Map<string, Pick<TarEntry, 'mode' | 'atimeNs' | 'mtimeNs'>>();
  /** Whiteouts made here: a directory that replaces one must hide what lies below it. */
  readonly #whiteouts = new Set<string>();
  entries = 0;
  bytes = 0;

  /**
   * `root` stays the caller's. `umask` is the process's, which openat2 applies. `isTree`: nothing in the archive has a meaning
   * of a layer's, and neither does a file take a directory's place nor a directory a file's.
   */
  constructor(verbs: FilesystemVerbs, root: Fd, umask: number, isTree = false) {
    this.#verbs = verbs;
    this.#isTree = isTree;
    this.#root = root;
    this.#parent = root;
    this.#umask = umask;
  }

  entry(entry: TarEntry): void {
    if (++this.entries > limits.entries) {
      throw new StackError('image.limit', { message: `The layer has more than ${limits.entries} entries.` });
    }
    this.bytes += entry.size;
    if (this.bytes > limits.expanded) {
      throw new StackError('image.limit', { message: `The layer expands to more than ${limits.expanded} bytes.` });
    }
    try {
      this.#place(entry);
    } catch (thrown) {
      throw failed(entry.name, thrown);
    }
  }

  #place(entry: TarEntry): void {
    const path = safePath(entry.name, entry.name);
    if (path === '') {
      if (entry.type === 'directory' && !this.#isTree) this.#finishDirectory(this.#root, '', entry);
      return;
    }
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (this.#isTree) {
      this.#create(this.#openParent(slash < 0 ? '' : path.slice(0, slash), entry.name), path, name, entry);
      return;
    }
    if (slash > 0 && `/${path.slice(0, slash)}`.includes(`/${whiteoutPrefix}`)) {
      // What aufs kept for itself, as in some old images. No other directory can have such a name (layer.md "Whiteouts").
      if (`/${path}`.includes(`/${whiteoutPrefix}${whiteoutPrefix}`)) return;
      throw new StackError('image.archive', { message: `${entry.name} lies below a whiteout.` });
    }
    const parent = this.#openParent(slash < 0 ? '' : path.slice(0, slash), entry.name);
    if (name.startsWith(whiteoutPrefix)) this.#whiteout(parent, path, name, entry.name);
    else this.#create(parent, path, name, entry);
  }

  data(chunk: Uint8Array): void {
    const file = this.#file;
    if (!file) return;
    for (let at = 0; at < chunk.length; ) at += writeSync(file.fd, chunk, at, chunk.length - at, file.position + at);
    file.position += chunk.length;
  }

  hole(size: number): void {
    if (!this.#file) return;
    this.#file.position += size;
    this.#file.hasHoles = true;
  }

  end(): void {
    if (!this.#file) return;
    const { fd, entry, hasHoles } = this.#file;
    this.#file = null;
    try {
      if (hasHoles) ftruncateSync(fd, entry.size);
      setMetadata(this.#verbs, fd, '', entry, entry.mode & ~this.#umask & 0o777);
    } catch (thrown) {
      throw failed(entry.name, thrown);
    } finally {
      closeSync(fd);
    }
  }

  /** Sets what had to wait of directories, deepest first. */
  finish(): void {
    const paths = [...this.#directories.keys()].sort((a, b) => b.length - a.length);
    for (const path of paths) {
      const entry = this.#directories.get(path)!;
      let fd = this.#root;
      try {
        if (path !== '')
          fd = this.#verbs.openat2(this.#root, path, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW, resolve: beneath });
      } catch {
        // A later entry replaced the directory.
        continue;
      }
      if (entry.mode & S_ISGID) this.#verbs.fchmod(fd, entry.mode);
      this.#verbs.utimensat(fd, '', entry.atimeNs ?? entry.mtimeNs, entry.mtimeNs);
      if (fd !== this.#root) closeSync(fd);
    }
  }

  close(): void {
    if (this.#file) closeSync(this.#file.fd);
    if (this.#parent !== this.#root) closeSync(this.#parent);
    this.#file = null;
    this.#parent = this.#root;
    this.#parentPath = '';
  }

  /** Descriptor of the directory at `path`, made where it is missing. It belongs to this object. */
  #openParent(path: string, entryName: string): Fd {
    if (path === this.#parentPath) return this.#parent;
    if (this.#parent !== this.#root) closeSync(this.#parent);
    this.#parent = this.#root;
    this.#parentPath = '';
    if (path === '') return this.#root;
    try {
      this.#parent = openDirectory(this.#verbs, this.#root, path);
    } catch (thrown) {
      const { code } = thrown as KernelError;
      if (code !== 'ENOENT' && (code !== 'ENOTDIR' || this.#whiteouts.size === 0)) throw refused(entryName, thrown);
      this.#parent = this.#makeParents(path, entryName);
    }
    this.#parentPath = path;
    return this.#parent;
  }

  #makeParents(path: string, entryName: string): Fd {
    let at = this.#root;
    let prefix = '';
    for (const component of path.split('/')) {
      prefix = prefix === '' ? component : `${prefix}/${component}`;
      let next: Fd;
      try {
        next = this.#openOrMake(at, prefix, component);
      } catch (thrown) {
        throw refused(entryName, thrown);
      } finally {
        if (at !== this.#root) closeSync(at);
      }
      at = next;
    }
    return at;
  }

  #openOrMake(at: Fd, path: string, component: string): Fd {
    try {
      return openDirectory(this.#verbs, this.#root, path);
    } catch (thrown) {
      const { code } = thrown as KernelError;
      if (code !== 'ENOENT' && !(code === 'ENOTDIR' && this.#whiteouts.has(path))) throw thrown;
    }
    // Hidden by a whiteout that came first, and made anew without an entry of its own.
    const isReplaced = this.#whiteouts.delete(path);
    if (isReplaced) this.#verbs.unlinkat(at, component, false);
    this.#verbs.mkdirat(at, component, 0o755);
    const fd = openDirectory(this.#verbs, this.#root, path);
    if (isReplaced) setOpaque(this.#verbs, fd);
    this.#verbs.fchmod(fd, 0o755);
    return fd;
  }

  #create(parent: Fd, path: string, name: string, entry: TarEntry): void {
    const verbs = this.#verbs;
    const make = () => {
      switch (entry.type) {
        case 'directory':
          return verbs.mkdirat(parent, name, entry.mode & 0o777);
        case 'file': {
          const flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW;
          this.#file = {
            fd: verbs.openat2(parent, name, { flags, mode: entry.mode & 0o777, resolve: beneath }),
            entry,
            position: 0,
            hasHoles: false,
          };
          return;
        }
        case 'symlink':
          if (entry.linkName === '') throw malformed(`the link ${entry.name} has no target`);
          return verbs.symlinkat(entry.linkName, parent, name);
        case 'link':
          return makeHardLink(verbs, this.#root, parent, name, entry);
        case 'char':
          return verbs.mknodat(parent, name, S_IFCHR | (entry.mode & 0o777), entry.major, entry.minor);
        case 'block':
          return verbs.mknodat(parent, name, S_IFBLK | (entry.mode & 0o777), entry.major, entry.minor);
        case 'fifo':
          return verbs.mknodat(parent, name, S_IFIFO | (entry.mode & 0o777), 0, 0);
      }
    };
    try {
      make();
    } catch (thrown) {
      if ((thrown as KernelError).code !== 'EEXIST') throw failed(entry.name, thrown);
      // The later of two entries counts, as with tar(1) and docker; a directory stays one with its content.
      if (entry.type === 'link' && safePath(entry.linkName, entry.name) === path) return;
      const isOver = isDirectory(this.#verbs, parent, name);
      if (this.#isTree && isOver !== (entry.type === 'directory')) throw notReplaced(entry.name, isOver);
      if (entry.type !== 'directory' || !isOver) {
        removeTree(verbs, parent, name);
        make();
      }
    }
    if (entry.type === 'file' || entry.type === 'link') {
      this.#whiteouts.delete(path);
      return;
    }
    if (entry.type === 'symlink') {
      setMetadata(this.#verbs, parent, name, entry, null);
      return;
    }
    const fd = verbs.openat2(parent, name, { flags: O_PATH | O_NOFOLLOW, resolve: beneath });
    try {
      if (entry.type === 'directory') {
        if (this.#whiteouts.delete(path)) setOpaque(verbs, fd);
        this.#finishDirectory(fd, path, entry);
      } else {
        setMetadata(this.#verbs, fd, '', entry, entry.mode & ~this.#umask & 0o777);
      }
    } finally {
      closeSync(fd);
    }
  }

  #finishDirectory(fd: Fd, path: string, entry: TarEntry): void {
    setMetadata(this.#verbs, fd, '', { ...entry, mode: entry.mode & ~S_ISGID }, -1);
    const { mode, atimeNs, mtimeNs } = entry;
    this.#directories.set(path, { mode, atimeNs, mtimeNs });
    bound(this.#directories, 'directories');
  }

  #whiteout(parent: Fd, path: string, name: string, entryName: string): void {
    if (name === opaqueMarker) {
      setOpaque(this.#verbs, parent);
      return;
    }
    // Bookkeeping of aufs, which some old images carry.
    if (name.startsWith('.wh..wh.')) return;
    const hidden = name.slice(whiteoutPrefix.length);
    if (hidden === '' || hidden === '.' || hidden === '..') throw hostile(entryName, `a whiteout of "${hidden}"`);
    const hiddenPath = `${path.slice(0, path.length - name.length)}${hidden}`;
    try {
      this.#verbs.mknodat(parent, hidden, S_IFCHR, 0, 0);
      this.#whiteouts.add(hiddenPath);
      bound(this.#whiteouts, 'whiteouts');
    } catch (thrown) {
      if ((thrown as KernelError).code !== 'EEXIST') throw failed(entryName, thrown);
      // Whiteouts hide lower layers only: what this layer brings itself stays, alone.
      if (!isDirectory(this.#verbs, parent, hidden)) return;
      const fd = this.#verbs.openat2(parent, hidden, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW, resolve: beneath });
      setOpaque(this.#verbs, fd);
      closeSync(fd);
    }
  }
}
