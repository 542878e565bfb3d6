/** A few worker threads that extract layers; started when the first layer comes, ended with the pull. */
import type { Worker } from 'node:worker_threads';
import { type ErrorCode, StackError } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';

export interface WorkerData {
  /** File of the addon. */
  addon: string;
  umask: number;
}

export type ToWorker =
  | { type: 'layer' /** Directory to extract into. */; root: Fd }
  | { type: 'data'; memory: ArrayBuffer; size: number }
  | { type: 'end' }
  | { type: 'abort' };

export type FromWorker =
  /** The addon is loaded. */
  | { type: 'ready' }
  | { type: 'taken' /** The memory of a piece, to be used again. */; memory: ArrayBuffer }
  | { type: 'done'; diffId: string; plain: number }
  | { type: 'aborted' }
  | {
      type: 'failed';
      code: ErrorCode;
      message: string;
      hint: string | undefined;
      errno: string | undefined;
      operation: string | undefined;
    };

/**
 * Bytes of a piece. Large, for each is handed over to another thread, which may have to wait for its turn on a busy machine.
 */
const pieceSize = 1024 * 1024;
/** Pieces of a layer on their way to the worker, or in its hands. */
const window = 4;

/** One layer being extracted. */
export interface Extraction {
  /** Hands over a copy; waits while the worker is behind. Throws what the worker failed with. */
  write(chunk: Uint8Array): Promise<void>;
  /** No more comes: resolves with the digest of the plain tar once everything is on disk. */
  end(): Promise<{ diffId: string; plain: number }>;
  /** Gives up; resolves when nothing is written any more. */
  abort(): Promise<void>;
}

export class Extractors implements AsyncDisposable {
  readonly #data: WorkerData;
  readonly #idle: Worker[] = [];
  readonly #all: { worker: Worker; ready: Promise<void> }[] = [];
  #first: Promise<Worker> | undefined;
  #isFirstTaken = false;

  constructor(addon: string) {
    this.#data = { addon, umask: process.umask() };
  }

  /** Starts the first worker: it takes a tenth of a second, in which a registry can be asked for what there is to extract. */
  warm(): void {
    this.#first ??= this.#spawn();
    this.#first.catch(() => undefined);
  }

  /** Starts a layer on a free worker, or on a new one; the caller bounds how many run at once. `root` stays the caller's. */
  async start(root: Fd): Promise<Extraction> {
    const worker = this.#idle.pop() ?? (await (this.#takeFirst() ?? this.#spawn()));
    return new Running(worker, root, () => this.#idle.push(worker));
  }

  #takeFirst(): Promise<Worker> | undefined {
    const first = this.#isFirstTaken ? undefined : this.#first;
    this.#isFirstTaken = true;
    return first;
  }

  async #spawn(): Promise<Worker> {
    const { Worker } = await import('node:worker_threads');
    const file = import.meta.url.endsWith('.ts') ? './extract-worker.ts' : './extract-worker.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: this.#data,
      // It closes descriptors that the addon opened, which Node would warn about.
      trackUnmanagedFds: false,
    });
    // What comes first is that it is ready; one that fails before never is, and has ended.
    const ready = new Promise<void>((resolve) => {
      worker.once('message', () => resolve()).once('exit', () => resolve());
    });
    this.#all.push({ worker, ready });
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One that is ended while it loads the addon takes the process with it: Node-API can throw nothing there any more.
    await Promise.all(this.#all.map(({ worker, ready }) => ready.then(() => worker.terminate())));
  }
}

class Running implements Extraction {
  readonly #worker: Worker;
  readonly #release: () => void;
  readonly #onMessage = (message: FromWorker) => this.#hear(message);
  readonly #onError = (error: unknown) =>
    this.#settle(new StackError('internal', { message: `The extraction worker failed: ${error}.`, cause: error }));
  /** Memory that came back, and how many pieces there are in all. */
  readonly #free: ArrayBuffer[] = [];
  #made = 0;
  #piece: Uint8Array<ArrayBuffer> | undefined;
  #fill = 0;
  #error: StackError | undefined;
  #done: { diffId: string; plain: number } | undefined;
  #wake: (() => void) | undefined;
  #isOver = false;

  constructor(worker: Worker, root: Fd, release: () => void) {
    this.#worker = worker;
    this.#release = release;
    worker.on('message', this.#onMessage);
    worker.on('error', this.#onError);
    this.#send({ type: 'layer', root });
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      this.#piece ??= await this.#memory();
      const part = chunk.subarray(at, at + pieceSize - this.#fill);
      this.#piece.set(part, this.#fill);
      at += part.length;
      this.#fill += part.length;
      if (this.#fill === pieceSize) this.#handOver();
    }
  }

  #handOver(): void {
    if (!this.#piece) return;
    this.#send({ type: 'data', memory: this.#piece.buffer, size: this.#fill }, [this.#piece.buffer]);
    this.#piece = undefined;
    this.#fill = 0;
  }

  async #memory(): Promise<Uint8Array<ArrayBuffer>> {
    while (this.#free.length === 0 && this.#made === window && !this.#error) await this.#news();
    if (this.#error) throw this.#error;
    const memory = this.#free.pop();
    if (memory) return new Uint8Array(memory);
    this.#made++;
    return new Uint8Array(pieceSize);
  }

  async end(): Promise<{ diffId: string; plain: number }> {
    this.#handOver();
    if (!this.#error) this.#send({ type: 'end' });
    while (!this.#done && !this.#error) await this.#news();
    if (this.#error) throw this.#error;
    this.#close();
    return this.#done!;
  }

  async abort(): Promise<void> {
    if (this.#isOver) return;
    this.#done = undefined;
    this.#send({ type: 'abort' });
    while (!this.#isOver) await this.#news();
  }

  #hear(message: FromWorker): void {
    if (message.type === 'taken') this.#free.push(message.memory);
    else if (message.type === 'done') this.#done = message;
    else if (message.type === 'aborted') this.#close();
    else if (message.type === 'failed') {
      const { type: _, code, ...fields } = message;
      this.#error = new StackError(code, fields);
    }
    this.#wake?.();
  }

  #settle(error: StackError): void {
    this.#error = error;
    this.#isOver = true;
    this.#wake?.();
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#worker.off('message', this.#onMessage);
    this.#worker.off('error', this.#onError);
    this.#release();
  }

  #send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
