/** What stat(2) says of files, of many in one call. */
import { fstatSync } from 'node:fs';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';

/** Fields of FilesystemVerbs.lstats. The first four are what a file's content cannot change without. */
const fields = 11;
const stamped = 4;

/** Times in nanoseconds since 1970. */
export class Stat {
  readonly #fields: BigInt64Array;
  readonly #bytes: Buffer;
  readonly #at: number;

  /** @param bytes of the same fields; many files share both. */
  constructor(of: BigInt64Array, at: number, bytes = bytesOf(of)) {
    this.#fields = of;
    this.#bytes = bytes;
    this.#at = at;
  }

  get ino(): bigint {
    return this.#fields[this.#at]!;
  }
  get size(): bigint {
    return this.#fields[this.#at + 1]!;
  }
  get mtimeNs(): bigint {
    return this.#fields[this.#at + 2]!;
  }
  get ctimeNs(): bigint {
    return this.#fields[this.#at + 3]!;
  }
  get atimeNs(): bigint {
    return this.#fields[this.#at + 4]!;
  }
  get mode(): number {
    return Number(this.#fields[this.#at + 5]!);
  }
  get uid(): number {
    return Number(this.#fields[this.#at + 6]!);
  }
  get gid(): number {
    return Number(this.#fields[this.#at + 7]!);
  }
  get dev(): bigint {
    return this.#fields[this.#at + 8]!;
  }
  get rdev(): bigint {
    return this.#fields[this.#at + 9]!;
  }
  get nlink(): number {
    return Number(this.#fields[this.#at + 10]!);
  }

  /** Inode, size, and times of modification and change, as a text to compare. */
  get stamp(): string {
    const from = this.#at * 8;
    return this.#bytes.toString('base64', from, from + stamped * 8);
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: BigInt64Array) => Buffer.from(buffer, byteOffset, byteLength);

/** Of what a descriptor stands for. */
export function fileStat(fd: Fd): Stat {
  const { ino, size, mtimeNs, ctimeNs, atimeNs, mode, uid, gid, dev, rdev, nlink } = fstatSync(fd, { bigint: true });
  return new Stat(BigInt64Array.of(ino, size, mtimeNs, ctimeNs, atimeNs, mode, uid, gid, dev, rdev, nlink), 0);
}

/** Of names in a directory, not followed. @throws ENOENT where one is gone */
export function listedStats(verbs: FilesystemVerbs, directory: Fd, names: string[]): Stat[] {
  const found = verbs.lstats(directory, names);
  const bytes = bytesOf(found);
  return names.map((_, index) => new Stat(found, index * fields, bytes));
}
