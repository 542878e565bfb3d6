/** Names of archive entries: which are taken, and how the refusal of others reads. */
import { StackError } from '../../schemas/errors.ts';
import type { KernelError } from '../../schemas/kernel.ts';

/** Bounds of one layer: far above any image in use, far below what fills a machine by a small download. */
export const limits = {
  entries: 4_000_000,
  /** Longest path: PATH_MAX of Linux. */
  path: 4096,
  /** Directories in each other. */
  depth: 256,
  /** Directories, and whiteouts: what is remembered of them until the layer's end takes memory. */
  remembered: 500_000,
  /** Bytes of content. */
  expanded: 256 * 1024 ** 3,
};

/** `a/b` of `./a//b/`; '' for the root. Refuses what points outside. */
export function safePath(path: string, entryName: string): string {
  if (path.length > limits.path) {
    throw new StackError('image.limit', { message: `The archive has a path of ${path.length} characters.` });
  }
  // umoci and others name the root itself "/".
  if (path === '/') return '';
  if (path.startsWith('/')) throw hostile(entryName, 'an absolute path');
  if (path.split('/', limits.depth + 1).length > limits.depth) {
    throw new StackError('image.limit', { message: `The archive has directories more than ${limits.depth} deep.` });
  }
  if (!/(?:^|\/)\.{0,2}(?:\/|$)/.test(path)) return path;
  const components = path.split('/').filter((component) => component !== '' && component !== '.');
  if (components.includes('..')) throw hostile(entryName, 'a path with ".."');
  return components.join('/');
}

export function hostile(name: string, what: string): StackError {
  return new StackError('image.hostile-archive', {
    message: `The archive entry "${name}" has ${what}: it could write outside its root.`,
    hint: 'Do not use this image; nothing of the layer was kept.',
  });
}

/** `isDirectory`: what is there already. */
export function notReplaced(name: string, isDirectory: boolean): StackError {
  const [there, later] = isDirectory ? ['a directory', 'none'] : ['no directory', 'one'];
  return new StackError('copy.path', {
    message: `${name} is ${there} already, and would become ${later}: neither takes the place of the other.`,
    hint: 'Remove what is there first, or copy to another path.',
  });
}

/** A path that the kernel would not walk: through a link to outside (EXDEV), or through something that is no directory. */
export function refused(name: string, thrown: unknown): unknown {
  const { code } = thrown as KernelError;
  if (code === 'EXDEV' || code === 'ELOOP' || code === 'ENOTDIR') {
    return hostile(name, 'a path through a link or a file');
  }
  return failed(name, thrown);
}

export function failed(name: string, thrown: unknown): unknown {
  if (thrown instanceof StackError) return thrown;
  const { code, step } = thrown as KernelError;
  if (code === 'ENAMETOOLONG') {
    return new StackError('image.limit', { message: `The archive has a name longer than 255 bytes: "${name}".` });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return thrown;
  return new StackError('image.store', {
    message: `"${name}" of the layer cannot be extracted: ${(thrown as Error).message}.`,
    operation: step,
    errno: code,
    cause: thrown,
  });
}

/** What is remembered of a layer until its end. @throws StackError `image.limit` */
export function bound({ size }: { size: number }, what: string): void {
  if (size <= limits.remembered) return;
  throw new StackError('image.limit', { message: `The layer has more than ${limits.remembered} ${what}.` });
}
