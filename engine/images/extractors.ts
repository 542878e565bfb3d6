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
  | { type: 'data'; chunk: ArrayBuffer }
  | { type: 'end' }
  | { type: 'sync'; fd: Fd }
  | { type: 'abort' };

export type FromWorker =
  | { type: 'taken'; size: number }
  | { type: 'done'; diffId: string; plain: number }
  | { type: 'aborted' }
  | { type: 'synced' }
  | {
      type: 'failed';
      code: ErrorCode;
      message: string;
      hint: string | undefined;
      errno: string | undefined;
      operation: string | undefined;
    };

/** Bytes handed to a worker that it has not decompressed yet. */
const window = 4 * 1024 * 1024;

/** One layer being extracted. */
export interface Extraction {
  /** Hands over a piece, which is copied; waits while the worker is behind. Throws what the worker failed with. */
  write(chunk: Uint8Array): Promise<void>;
  /** No more comes: resolves with the digest of the plain tar once everything is on disk. */
  end(): Promise<{ diffId: string; plain: number }>;
  /** Gives up; resolves when nothing is written any more. */
  abort(): Promise<void>;
}

export class Extractors implements AsyncDisposable {
  readonly #data: WorkerData;
  readonly #idle: Worker[] = [];
  readonly #all: Worker[] = [];

  constructor(addon: string) {
    this.#data = { addon, umask: process.umask() };
  }

  /** Starts a layer on a free worker, or on a new one; the caller bounds how many run at once. `root` stays the caller's. */
  async start(root: Fd): Promise<Extraction> {
    const worker = this.#idle.pop() ?? (await this.#spawn());
    return new Running(worker, root, () => this.#idle.push(worker));
  }

  /** syncfs(2) of the file system `fd` lies on, which may take seconds: not on the caller's thread. */
  async sync(fd: Fd): Promise<void> {
    const worker = this.#idle.pop() ?? (await this.#spawn());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onMessage = ({ type }: FromWorker) => {
      if (type === 'synced') resolve();
    };
    worker.on('message', onMessage);
    worker.on('error', reject);
    worker.postMessage({ type: 'sync', fd } satisfies ToWorker);
    try {
      await promise;
    } finally {
      worker.off('message', onMessage);
      worker.off('error', reject);
    }
    this.#idle.push(worker);
  }

  async #spawn(): Promise<Worker> {
    const { Worker } = await import('node:worker_threads');
    const file = import.meta.url.endsWith('.ts') ? './extract-worker.ts' : './extract-worker.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: this.#data,
      // It closes descriptors that the addon opened, which Node would warn about.
      trackUnmanagedFds: false,
    });
    this.#all.push(worker);
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }
}

class Running implements Extraction {
  readonly #worker: Worker;
  readonly #release: () => void;
  readonly #onMessage = (message: FromWorker) => this.#hear(message);
  readonly #onError = (error: unknown) =>
    this.#settle(new StackError('internal', { message: `The extraction worker failed: ${error}.`, cause: error }));
  #ahead = 0;
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
    while (this.#ahead >= window && !this.#error) await this.#news();
    if (this.#error) throw this.#error;
    this.#ahead += chunk.byteLength;
    const own = new ArrayBuffer(chunk.byteLength);
    new Uint8Array(own).set(chunk);
    this.#send({ type: 'data', chunk: own }, [own]);
  }

  async end(): Promise<{ diffId: string; plain: number }> {
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
    if (message.type === 'taken') this.#ahead -= message.size;
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
