/**
 * Reads tar as a stream of bytes pushed in, synchronously, so that one worker goes from decompressed bytes to files without
 * a turn of the event loop. Formats: POSIX ustar and pax, GNU long names and base-256 numbers, v7.
 * Source: POSIX.1-2017 pax(1) "ustar Interchange Format" and "pax Extended Header"; tar(5).
 */
import { StackError } from '../../schemas/errors.ts';
import { block, checkSum, malformed, readNumber, readPax, readString, readTime, toTime } from './tar-header.ts';
import { type Piece, paxSparse, pieceLimit, readPieces, type Sparse, SparseContent } from './tar-sparse.ts';

export type EntryType = 'file' | 'link' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

export interface TarEntry {
  /** As the archive has it: maybe `./a/b`, `/a`, `a/`. */
  name: string;
  type: EntryType;
  /** Target of a link or symlink; empty otherwise. */
  linkName: string;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of content that follow; 0 for anything but files. */
  size: number;
  mtimeNs: bigint;
  atimeNs: bigint | undefined;
  major: number;
  minor: number;
  /** Extended attributes by full name (`security.capability`). */
  xattrs: Map<string, Uint8Array>;
}

export interface TarSink {
  entry(entry: TarEntry): void;
  /** A piece of the last entry's content; valid during the call only. */
  data(chunk: Uint8Array): void;
  /** So many zero bytes of the last entry's content, which the archive does not spell out. */
  hole(size: number): void;
  /** The last entry's content is complete. Called for every entry. */
  end(): void;
}

/** Most bytes of pax headers and GNU long names for one entry: far above what paths and attributes of Linux need. */
const metadataLimit = 1024 * 1024;
const types: Record<string, EntryType> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

export class TarReader {
  readonly #sink: TarSink;
  readonly #header = Buffer.alloc(block);
  #headerFill = 0;
  /** Bytes of content still to come, then bytes of padding. */
  #content = 0;
  #padding = 0;
  /** What the content is collected for; null while it goes to the sink. */
  #metadata: { kind: string; parts: Buffer[] } | null = null;
  /** Bytes of metadata since the last entry, and all those for every entry. */
  #metadataSize = 0;
  #globalSize = 0;
  #pax = new Map<string, Buffer>();
  #globalPax = new Map<string, Buffer>();
  #longName: string | undefined;
  #longLink: string | undefined;
  #isInEntry = false;
  /** A sparse entry whose map goes on in the next block, and the one whose content is on its way. */
  #mapped: { header: Buffer; pieces: Piece[] } | null = null;
  #sparse: SparseContent | null = null;
  #zeroBlocks = 0;
  #isEnded = false;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes. @throws StackError `image.archive`, `image.limit`, and what the sink throws */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#isEnded) {
      if (this.#content > 0) {
        const piece = chunk.subarray(at, at + this.#content);
        at += piece.length;
        this.#content -= piece.length;
        if (this.#metadata) this.#metadata.parts.push(Buffer.from(piece));
        else if (this.#sparse) this.#sparse.data(piece);
        else this.#sink.data(piece);
        if (this.#content === 0) this.#finishEntry();
      } else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, chunk.length - at);
        at += skipped;
        this.#padding -= skipped;
      } else {
        const piece = chunk.subarray(at, at + block - this.#headerFill);
        this.#header.set(piece, this.#headerFill);
        at += piece.length;
        this.#headerFill += piece.length;
        if (this.#headerFill === block) {
          this.#headerFill = 0;
          this.#readHeader();
        }
      }
    }
  }

  /** Bytes of the last entry's content, and of its padding, that a reader of a seekable file may leave out by {@link skip}. */
  get skippable(): number {
    return this.#metadata ? 0 : this.#content + this.#padding;
  }

  skip(): void {
    this.#sparse = null;
    const isInContent = this.#content > 0;
    this.#content = 0;
    this.#padding = 0;
    if (isInContent) this.#finishEntry();
  }

  /** The bytes are over. @throws StackError `image.truncated` inside an entry */
  finish(): void {
    if (this.#content > 0 || this.#headerFill > 0 || this.#metadata || this.#mapped) {
      throw new StackError('image.truncated', { message: 'The tar archive ends inside an entry.' });
    }
  }

  #readHeader(): void {
    const header = this.#header;
    if (this.#mapped) {
      this.#mapped.pieces.push(...readPieces(header, 0, 21));
      if (this.#mapped.pieces.length > pieceLimit) throw malformed('a sparse file has too many pieces');
      if (header[504] === 0) this.#beginSparse(this.#mapped.header, this.#mapped.pieces);
      return;
    }
    if (header[0] === 0 && header.every((byte) => byte === 0)) {
      this.#zeroBlocks++;
      this.#isEnded = this.#zeroBlocks === 2;
      return;
    }
    this.#zeroBlocks = 0;
    checkSum(header);
    const flag = String.fromCharCode(header[156]!);
    const size = readNumber(header, 124, 12);
    if (size < 0) throw malformed('a size is negative');
    if (flag === 'x' || flag === 'g' || flag === 'L' || flag === 'K') {
      this.#metadataSize += size;
      if (this.#metadataSize > metadataLimit) {
        const message = `The archive has extended headers of ${this.#metadataSize} bytes before one entry.`;
        throw new StackError('image.limit', { message });
      }
      this.#metadata = { kind: flag, parts: [] };
      this.#begin(size);
      return;
    }
    if (flag === 'S') {
      const pieces = readPieces(header, 386, 4);
      if (header[482] === 0) this.#beginSparse(header, pieces);
      else this.#mapped = { header: Buffer.from(header), pieces };
      return;
    }
    const type = types[flag];
    if (!type) {
      throw new StackError('image.archive', {
        message: `The archive has entries of type "${flag}", which are unknown.`,
      });
    }
    // A hard link may carry a size in old archives, and no content: pax(1) leaves it to the reader; writers follow ustar.
    this.#beginEntry(this.#entry(header, type, size), type === 'file' ? paxSparse(this.#text) : undefined);
  }

  #beginSparse(header: Buffer, pieces: Piece[]): void {
    this.#mapped = null;
    const entry = this.#entry(header, 'file', readNumber(header, 124, 12));
    this.#beginEntry(entry, { realSize: readNumber(header, 483, 12), pieces });
  }

  #beginEntry(entry: TarEntry, sparse: Sparse | undefined): void {
    const stored = entry.size;
    if (sparse) {
      entry.size = sparse.realSize;
      entry.name = this.#text('GNU.sparse.name') ?? entry.name;
      this.#sparse = new SparseContent(sparse, this.#sink);
    }
    this.#pax = new Map();
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#metadataSize = this.#globalSize;
    this.#isInEntry = true;
    this.#sink.entry(entry);
    this.#begin(stored);
  }

  /** A pax record as text. */
  readonly #text = (key: string): string | undefined => {
    const value = this.#pax.get(key) ?? this.#globalPax.get(key);
    if (value === undefined || value.length === 0) return undefined;
    // What stands behind it would be lost, or be seen by another reader: names that are not what they seem.
    if (value.includes(0)) throw malformed(`pax record ${key} has a NUL byte`);
    return readString(value, 0, value.length);
  };

  #begin(size: number): void {
    this.#content = size;
    this.#padding = (block - (size % block)) % block;
    if (size === 0) this.#finishEntry();
  }

  #finishEntry(): void {
    const metadata = this.#metadata;
    if (!metadata) {
      this.#sparse?.end();
      this.#sparse = null;
      if (this.#isInEntry) this.#sink.end();
      this.#isInEntry = false;
      return;
    }
    this.#metadata = null;
    // Those of the whole archive stay in memory: all of them together count for each entry.
    if (metadata.kind === 'g') this.#globalSize = this.#metadataSize;
    const content = Buffer.concat(metadata.parts);
    if (metadata.kind === 'L') this.#longName = readString(content, 0, content.length);
    else if (metadata.kind === 'K') this.#longLink = readString(content, 0, content.length);
    else readPax(content, metadata.kind === 'g' ? this.#globalPax : this.#pax);
  }

  #entry(header: Buffer, type: EntryType, size: number): TarEntry {
    const text = this.#text;
    const number = (key: string) => {
      const value = text(key);
      if (value === undefined) return undefined;
      if (!/^[0-9]{1,15}$/.test(value)) throw malformed(`pax record ${key}=${value}`);
      return Number(value);
    };
    let name = readString(header, 0, 100);
    // The prefix exists in POSIX archives only; GNU ones ("ustar  ") keep other things there.
    const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? readString(header, 345, 155) : '';
    if (prefix) name = `${prefix}/${name}`;
    name = text('path') ?? this.#longName ?? name;
    // Old archives tell a directory by its slash alone.
    const isDirectory = type === 'directory' || (type === 'file' && name.endsWith('/') && size === 0);
    const xattrs = new Map<string, Uint8Array>();
    for (const [key, value] of [...this.#globalPax, ...this.#pax]) {
      if (key.startsWith('SCHILY.xattr.')) xattrs.set(key.slice('SCHILY.xattr.'.length), value);
    }
    const atime = text('atime');
    const owner = (key: string, at: number) => {
      const id = number(key) ?? readNumber(header, at, 8);
      // The highest number means "as it is" to chown(2).
      if (id < 0 || id >= 0xffff_ffff) throw malformed(`${name} has the ${key} ${id}`);
      return id;
    };
    // As many bits as dev_t of the kernel has: mknod(2) would cut off what goes beyond, and make another device.
    const device = (at: number, highest: number) => {
      if (type !== 'char' && type !== 'block') return 0;
      const value = readNumber(header, at, 8);
      if (value < 0 || value > highest) throw malformed(`${name} has the device number ${value}`);
      return value;
    };
    return {
      name,
      type: isDirectory ? 'directory' : type,
      linkName: text('linkpath') ?? this.#longLink ?? readString(header, 157, 100),
      mode: readNumber(header, 100, 8) & 0o7777,
      uid: owner('uid', 108),
      gid: owner('gid', 116),
      size: type === 'file' && !isDirectory ? (number('size') ?? size) : 0,
      mtimeNs: readTime(text('mtime')) ?? toTime(BigInt(readNumber(header, 136, 12))),
      atimeNs: readTime(atime),
      major: device(329, 0xfff),
      minor: device(337, 0xf_ffff),
      xattrs,
    };
  }
}
