/** GNU tar's sparse files: pieces of content, and the holes between them. Source: GNU tar manual, "Storing Sparse Files". */
import type { TarSink } from './tar.ts';
import { malformed, readNumber } from './tar-header.ts';

export interface Piece {
  offset: number;
  size: number;
}

/** What a sparse entry says of itself; `pieces` is null where they stand before the content (format 1.0). */
export interface Sparse {
  realSize: number;
  pieces: Piece[] | null;
}

/** Most pieces of one file. */
export const pieceLimit = 1_000_000;

/** Pieces of the old GNU format: `count` pairs of 12-byte numbers at `at` of a block; a pair without size ends them. */
export function readPieces(block: Buffer, at: number, count: number): Piece[] {
  const pieces: Piece[] = [];
  for (let i = 0; i < count && block[at + i * 24] !== 0; i++) {
    pieces.push({ offset: readNumber(block, at + i * 24, 12), size: readNumber(block, at + i * 24 + 12, 12) });
  }
  return pieces;
}

/** What pax records say: formats 0.0 and 0.1 list the pieces, 1.0 only announces them. Undefined for ordinary files. */
export function paxSparse(text: (key: string) => string | undefined): Sparse | undefined {
  const realSize = Number(text('GNU.sparse.realsize') ?? text('GNU.sparse.size') ?? Number.NaN);
  const major = text('GNU.sparse.major');
  const map = text('GNU.sparse.map');
  if (major === undefined && map === undefined && Number.isNaN(realSize)) return undefined;
  if (!Number.isSafeInteger(realSize) || realSize < 0) throw malformed('a sparse file has no size');
  if (major === '1') return { realSize, pieces: null };
  const numbers = map ? map.split(',').map(Number) : [];
  return { realSize, pieces: pairs(numbers) };
}

function pairs(numbers: number[]): Piece[] {
  if (numbers.length > 2 * pieceLimit) throw malformed('a sparse file has too many pieces');
  if (numbers.length % 2 !== 0) throw malformed('the map of a sparse file is uneven');
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({ offset: numbers[2 * i]!, size: numbers[2 * i + 1]! }));
}

/** Passes stored content on, and the holes between its pieces. */
export class SparseContent {
  readonly #realSize: number;
  readonly #sink: Pick<TarSink, 'data' | 'hole'>;
  #pieces: Piece[] = [];
  /** The map before the content, while it is read. */
  #map: Buffer | null = null;
  #next = 0;
  #position = 0;
  /** Bytes of the current piece that are still to come. */
  #left = 0;

  constructor({ realSize, pieces }: Sparse, sink: Pick<TarSink, 'data' | 'hole'>) {
    this.#realSize = realSize;
    this.#sink = sink;
    if (pieces) this.#take(pieces);
    else this.#map = Buffer.alloc(0);
  }

  data(chunk: Uint8Array): void {
    let rest = this.#map ? this.#readMap(chunk) : chunk;
    while (rest.length > 0) {
      if (this.#left === 0) this.#nextPiece();
      const part = rest.subarray(0, this.#left);
      this.#sink.data(part);
      this.#position += part.length;
      this.#left -= part.length;
      rest = rest.subarray(part.length);
    }
  }

  end(): void {
    while (this.#left === 0 && this.#next < this.#pieces.length) this.#nextPiece();
    if (this.#map || this.#left > 0) throw malformed('a sparse file is shorter than its map says');
    this.#skipTo(this.#realSize);
  }

  #nextPiece(): void {
    const piece = this.#pieces[this.#next++];
    if (!piece) throw malformed('a sparse file is longer than its map says');
    this.#skipTo(piece.offset);
    this.#left = piece.size;
  }

  #skipTo(until: number): void {
    if (until > this.#position) this.#sink.hole(until - this.#position);
    this.#position = until;
  }

  #take(pieces: Piece[]): void {
    let end = 0;
    for (const { offset, size } of pieces) {
      const isWhole = Number.isSafeInteger(offset) && Number.isSafeInteger(size);
      if (!isWhole || offset < end || size < 0 || offset + size > this.#realSize) {
        throw malformed('the map of a sparse file is out of order');
      }
      end = offset + size;
    }
    this.#pieces = pieces;
  }

  /** Decimal numbers, one a line: how many pieces, then each one's offset and size; padded to a whole block. */
  #readMap(chunk: Uint8Array): Uint8Array {
    this.#map = Buffer.concat([this.#map!, chunk]);
    const lines = this.#map.toString('latin1').split('\n');
    const count = lines.length > 1 ? Number(lines[0]) : 0;
    if (!Number.isSafeInteger(count) || count < 0 || count > pieceLimit || this.#map.length > pieceLimit * 32) {
      throw malformed('the map of a sparse file is not readable');
    }
    const needed = 1 + 2 * count;
    if (lines.length <= needed) return this.#map.subarray(this.#map.length);
    const length = lines.slice(0, needed).reduce((sum, line) => sum + line.length + 1, 0);
    const padded = Math.ceil(length / 512) * 512;
    if (this.#map.length < padded) return this.#map.subarray(this.#map.length);
    const rest = this.#map.subarray(padded);
    this.#map = null;
    this.#take(pairs(lines.slice(1, needed).map(Number)));
    return rest;
  }
}
