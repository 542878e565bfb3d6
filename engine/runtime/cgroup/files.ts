/** The files and directories of cgroup file systems: read, written, listed, removed, and what a refusal means. */
import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { asStackError, StackError } from '../../../schemas/errors.ts';

export interface Write {
  file: string;
  value: string;
  /** A kernel without this file, or one that refuses it, is no failure. */
  isOptional?: boolean;
  /** A kernel without this file is no failure; one that refuses the value is. */
  mayLack?: boolean;
  /** Written where the file is not there: what the same limit is called by another scheduler or version. */
  instead?: Write;
  /** Only where the file is empty so far; then the parent's content, and `value` where that has none. */
  isInitial?: boolean;
  /** What asked for it: `memory.limit`, below `linux.resources`. */
  property?: string;
}

/** '' where it cannot be read. */
export function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Names of the cgroups right below; none where the directory is gone. */
export function children(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** What exists is taken as it is. */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, 0o755);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
  }
}

/** True where the directory is gone. */
export function tryRmdir(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (thrown) {
    return errnoOf(thrown) === 'ENOENT';
  }
}

/** One write(2) a value, as the files of a cgroup want it; lines for one and the same file go through one descriptor. */
export class Writer {
  #file = '';
  #fd = -1;

  write(write: Write): void {
    if (write.isInitial) {
      if (read(write.file).trim() !== '') return;
      const above = `${dirname(dirname(write.file))}/${basename(write.file)}`;
      this.#line(write.file, read(above).trim() || write.value);
      return;
    }
    try {
      this.#line(write.file, write.value);
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT' || !write.instead) throw thrown;
      this.write(write.instead);
    }
  }

  #line(file: string, value: string): void {
    if (file !== this.#file) {
      this[Symbol.dispose]();
      this.#fd = openSync(file, constants.O_WRONLY);
      this.#file = file;
    }
    writeSync(this.#fd, value);
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#file = '';
  }
}

/**
 * Writes in order. What the kernel refuses as invalid is tried again behind the others as long as that helps: a limit
 * of memory above the present one of memory and swap, a quota below the burst, may each be right a moment later.
 * @param repair called once where a write fails; the write is then tried again.
 * @throws host.kernel-feature for a file that is not there, host.cgroup for a value that is refused.
 */
export function writeAll(writes: Write[], repair?: () => void): void {
  using files = new Writer();
  let left = writes;
  while (left.length > 0) {
    const refused: { write: Write; thrown: unknown }[] = [];
    for (const write of left) {
      try {
        files.write(write);
      } catch (thrown) {
        if (isNoFailure(write, thrown)) continue;
        if (errnoOf(thrown) === 'EINVAL' && left.length > 1) {
          refused.push({ write, thrown });
          continue;
        }
        if (!repair) throw refusal(write, thrown);
        repair();
        repair = undefined;
        try {
          files.write(write);
        } catch (again) {
          throw refusal(write, again);
        }
      }
    }
    if (refused.length === left.length) throw refusal(refused[0]!.write, refused[0]!.thrown);
    left = refused.map(({ write }) => write);
  }
}

export const errnoOf = (thrown: unknown) => (thrown as NodeJS.ErrnoException).code;

const isNoFailure = (write: Write, thrown: unknown) =>
  write.isOptional || (write.mayLack && errnoOf(thrown) === 'ENOENT');

/** The kernel's answer to a write in a user's words. A missing file is a missing feature and named by both its names. */
export function refusal(write: Write, thrown: unknown): StackError {
  const property = write.property && `linux.resources.${write.property}`;
  const errno = errnoOf(thrown);
  if (errno !== 'ENOENT') return failed(thrown, `write ${write.value} to ${write.file}`, property);
  const { file } = write.instead ?? write;
  const names = write.instead ? `${basename(write.file)} nor ${basename(file)}` : basename(file);
  const controller = basename(file).split('.')[0];
  return new StackError('host.kernel-feature', {
    message: `${property ?? basename(file)}: this kernel has ${write.instead ? 'neither' : 'no'} ${names} in ${dirname(file)}`,
    hint: `Remove the limit, or use a kernel that has the file with the controller ${controller} enabled for this cgroup.`,
    resource: property,
    operation: `open ${file}`,
    errno,
  });
}

export function failed(thrown: unknown, operation: string, property?: string): StackError {
  const errno = errnoOf(thrown);
  const hint =
    errno === 'EROFS' || errno === 'EACCES' || errno === 'EPERM'
      ? 'The cgroup file systems must be writable by root; inside another container they often are not.'
      : errno === 'EBUSY'
        ? 'The container uses more than that now, or the cgroup has processes of its own; stop some, or choose a higher limit.'
        : 'Compare the limit with what the machine has (cpus, memory), and the cgroup files with cgroups(7).';
  const message = `${property ? `${property}: ` : ''}${operation}: ${errno}`;
  return asStackError(thrown, 'host.cgroup', { message, operation, errno, hint, resource: property });
}
