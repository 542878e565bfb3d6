/** Talking to a shim: frames on its control socket (native/shim/control.cc). u32 length, u16 type, payload. */
import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, KernelPort } from '../../schemas/kernel.ts';
import { errnoName } from './status.ts';

export const frame = {
  start: 1,
  kill: 2,
  stop: 3,
  exec: 4,
  attach: 5,
  resize: 6,
  subscribe: 7,
  signal: 8,
  networks: 9,
  ok: 100,
  error: 101,
  status: 102,
  exit: 103,
  started: 104,
  report: 105,
} as const;

export interface Frame {
  type: number;
  body: Buffer;
}

/** What a shim answers to a step that failed. */
export interface ShimFailure {
  step: string;
  errno: string;
  subject: string;
}

export function encodeFrame(type: number, body: Uint8Array = new Uint8Array()): Buffer {
  const out = Buffer.alloc(6 + body.length);
  out.writeUInt32LE(2 + body.length, 0);
  out.writeUInt16LE(type, 4);
  out.set(body, 6);
  return out;
}

/** A body of u32 and i64 numbers. */
export function numbers(...values: ({ u16: number } | { u32: number } | { i64: number })[]): Buffer {
  return Buffer.concat(
    values.map((value) => {
      const part = Buffer.alloc('u16' in value ? 2 : 'u32' in value ? 4 : 8);
      if ('u16' in value) part.writeUInt16LE(value.u16);
      else if ('u32' in value) part.writeUInt32LE(value.u32);
      else part.writeBigInt64LE(BigInt(Math.round(value.i64)));
      return part;
    }),
  );
}

export function readFailure(body: Buffer): ShimFailure {
  const stepSize = body.readUInt32LE(4);
  const step = body.toString('utf8', 8, 8 + stepSize);
  const subjectAt = 8 + stepSize + 1;
  const subject = body.toString('utf8', subjectAt + 4, subjectAt + 4 + body.readUInt32LE(subjectAt));
  return { step, errno: errnoName(body.readInt32LE(0)), subject };
}

/** One connection to a shim. Frames are answered in order; a stream that ends rejects who still waits. */
export class Connection {
  private readonly socket: Socket;
  private input: Buffer = Buffer.alloc(0);
  private readonly waiting: { resolve(frame: Frame): void; reject(error: unknown): void }[] = [];
  private onFrame: ((frame: Frame) => void) | undefined;
  private readonly name: string;
  private hasEnded = false;

  constructor(fd: Fd, name: string) {
    this.name = name;
    this.socket = new Socket({ fd, readable: true, writable: true });
    this.socket.on('data', (chunk: Buffer) => this.read(chunk));
    this.socket.on('error', () => this.end());
    this.socket.on('close', () => this.end());
  }

  /** Connects to the shim whose run directory this is. @throws runtime.shim where none listens. */
  static open(kernel: KernelPort, runDir: string, name: string): Connection {
    return new Connection(connectShim(kernel, runDir, name), name);
  }

  send(type: number, body?: Uint8Array): void {
    this.socket.write(encodeFrame(type, body));
  }

  /** Sends a request and answers the next frame. */
  ask(type: number, body?: Uint8Array): Promise<Frame> {
    this.send(type, body);
    return this.next();
  }

  next(): Promise<Frame> {
    if (this.hasEnded) return Promise.reject(gone(this.name));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** Every frame nobody asked for. `onEnd` when the shim closed the connection. */
  listen(onFrame: (frame: Frame) => void, onEnd: () => void): void {
    this.onFrame = onFrame;
    this.socket.on('close', onEnd);
  }

  /** Resolves when the shim has closed the connection: for its last one, when it is gone. */
  ended(): Promise<void> {
    return new Promise((resolve) => (this.hasEnded ? resolve() : this.socket.once('close', () => resolve())));
  }

  /** Lets the process end although this is open. */
  unref(): void {
    this.socket.unref();
  }

  close(): void {
    this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    this.input = this.input.length === 0 ? chunk : Buffer.concat([this.input, chunk]);
    while (this.input.length >= 6) {
      const length = this.input.readUInt32LE(0);
      if (this.input.length < 4 + length) return;
      const whole = { type: this.input.readUInt16LE(4), body: this.input.subarray(6, 4 + length) };
      this.input = this.input.subarray(4 + length);
      const waiter = this.waiting.shift();
      if (waiter) waiter.resolve(whole);
      else this.onFrame?.(whole);
    }
  }

  private end(): void {
    this.hasEnded = true;
    for (const { reject } of this.waiting.splice(0)) reject(gone(this.name));
  }
}

/** The raw socket, for requests that carry descriptors. */
export function connectShim(kernel: KernelPort, runDir: string, name: string): Fd {
  let directory: Fd | undefined;
  try {
    directory = openSync(runDir, 'r');
    return kernel.process.connect(directory, 'control');
  } catch (cause) {
    throw gone(name, cause);
  } finally {
    if (directory !== undefined) closeSync(directory);
  }
}

export const isGone = (error: unknown): boolean => error instanceof StackError && error.code === 'runtime.shim';

const gone = (name: string, cause?: unknown) =>
  new StackError('runtime.shim', {
    message: `The monitor of container ${name} is gone.`,
    hint: 'Run `stack up` again: it replaces containers that lost their monitor.',
    resource: `container ${name}`,
    cause,
  });
