/**
 * zstd streams of many frames, as zstd:chunked layers and parallel compressors write them. Node's decoder ends after the first
 * frame unless the next one comes in a write of its own, and takes a cut frame for a whole one: so frames are told apart here.
 * Source: RFC 8878 section 3.1.
 */
import { Transform, type TransformCallback } from 'node:stream';
import * as zlib from 'node:zlib';
import { StackError } from '../../schemas/errors.ts';

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

/** Whether content that starts so is zstd. */
export function isZstd(start: Buffer): boolean {
  const magic = start.readUInt32LE(0);
  return magic === frameMagic || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === skippableMagic;
}

/** What the next bytes of a frame are: fields that are read, or `content` that is passed over. */
type Part = 'magic' | 'descriptor' | 'header' | 'block' | 'content' | 'last' | 'skip-size' | 'skip';

/** Cuts a stream at the ends of its frames and leaves the skippable ones out. */
export class ZstdFrames {
  #part: Part = 'magic';
  /** Bytes the part still needs; and the part itself where it is read. */
  #left = 4;
  #field = Buffer.alloc(0);
  #hasChecksum = false;

  /** Pieces for the decoder, none of which goes on behind the end of a frame. @throws StackError `image.archive` */
  push(chunk: Buffer): Buffer[] {
    const pieces: Buffer[] = [];
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      const taken = chunk.subarray(at, at + this.#left);
      at += taken.length;
      this.#left -= taken.length;
      const isRead = this.#part !== 'content' && this.#part !== 'last' && this.#part !== 'skip';
      if (isRead) this.#field = Buffer.concat([this.#field, taken]);
      if (this.#left > 0) continue;
      const part = this.#part;
      const field = this.#field;
      this.#field = Buffer.alloc(0);
      this.#next(part, field);
      if (part === 'magic') {
        // Held back until it is known whether the decoder wants it.
        if (this.#part === 'descriptor') pieces.push(field);
        start = at;
      } else if (part === 'skip' || part === 'skip-size') {
        start = at;
      } else if (this.#part === 'magic') {
        pieces.push(chunk.subarray(start, at));
        start = at;
      }
    }
    const isWanted = this.#part !== 'magic' && this.#part !== 'skip' && this.#part !== 'skip-size';
    if (isWanted && start < chunk.length) pieces.push(chunk.subarray(start));
    return pieces;
  }

  /** @throws StackError `image.truncated` inside a frame */
  end(): void {
    if (this.#part === 'magic' && this.#field.length === 0) return;
    throw new StackError('image.truncated', { message: 'The compressed content is cut off inside a zstd frame.' });
  }

  #next(part: Part, field: Buffer): void {
    switch (part) {
      case 'magic':
        this.#begin(field.readUInt32LE(0));
        break;
      case 'skip-size':
        this.#expect('skip', field.readUInt32LE(0));
        break;
      case 'descriptor': {
        const flags = field[0]!;
        const isSingleSegment = (flags & 0x20) !== 0;
        this.#hasChecksum = (flags & 4) !== 0;
        const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][flags >> 6]!;
        this.#expect('header', (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][flags & 3]! + contentSize);
        break;
      }
      case 'header':
      case 'content':
        this.#expect('block', 3);
        break;
      case 'block':
        this.#block(field.readUIntLE(0, 3));
        break;
      default:
        this.#expect('magic', 4);
    }
  }

  #begin(magic: number): void {
    if (magic === frameMagic) this.#expect('descriptor', 1);
    else if (isSkippable(magic)) this.#expect('skip-size', 4);
    else throw damagedFrame('what follows a zstd frame is no other');
  }

  #block(header: number): void {
    const type = (header >> 1) & 3;
    if (type === 3) throw damagedFrame('a block has a reserved type');
    const size = type === 1 ? 1 : header >> 3;
    if ((header & 1) === 0) this.#expect('content', size);
    else this.#expect('last', size + (this.#hasChecksum ? 4 : 0));
  }

  #expect(part: Part, length: number): void {
    this.#part = part;
    this.#left = length;
    if (length === 0) this.#next(part, this.#field);
  }
}

function damagedFrame(what: string): StackError {
  return new StackError('image.archive', { message: `The compressed content is damaged: ${what}.` });
}

/** Decodes all frames. Windows above 128 MiB, the decoder's own limit, are refused. */
export class ZstdDecoder extends Transform {
  readonly #frames = new ZstdFrames();
  readonly #decoder: zlib.ZstdDecompress;

  /** `chunkSize`: bytes of a piece that comes out. */
  constructor(chunkSize: number) {
    super({ readableHighWaterMark: chunkSize });
    this.#decoder = zlib.createZstdDecompress({ chunkSize });
    this.#decoder.on('data', (chunk: Buffer) => {
      // Whoever reads slowly is not run over by what a few bytes expand to.
      if (!this.push(chunk)) this.#decoder.pause();
    });
    this.#decoder.on('error', (error) => this.destroy(error));
  }

  override _read(size: number): void {
    this.#decoder.resume();
    super._read(size);
  }

  override _transform(chunk: Buffer, _: string, done: TransformCallback): void {
    let pieces: Buffer[];
    try {
      pieces = this.#frames.push(chunk);
    } catch (thrown) {
      done(thrown as Error);
      return;
    }
    const last = pieces.pop();
    for (const piece of pieces) this.#decoder.write(piece);
    if (last) this.#decoder.write(last, () => done());
    else done();
  }

  override _flush(done: TransformCallback): void {
    try {
      this.#frames.end();
    } catch (thrown) {
      done(thrown as Error);
      return;
    }
    this.#decoder.once('end', () => done());
    this.#decoder.end();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#decoder.destroy();
    done(error);
  }
}
