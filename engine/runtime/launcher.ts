/** A process on the shim that leaves no monitor behind: what the shim reports of it, as it comes (native/shim/launch.cc). */
import { closeSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, ProcessVerbs } from '../../schemas/kernel.ts';
import { frame, type ShimFailure } from './control.ts';
import { encodeProgram, encodeSteps, type Step } from './program/encoder.ts';
import { errnoName } from './status.ts';

export interface LaunchRequest {
  /** The process's own steps. */
  steps: Step[];
  /** Handed to the shim; `stdio` and `container` are indexes of it, -1 for /dev/null and for none. */
  fds: Fd[];
  stdio: [number, number, number];
  /** pidfd of the container's first process, for a process that enters it. */
  container?: number;
  /** Where the process waits for its start, by the socket `start` in this directory: nobody else need stay for it. */
  startDirectory?: string;
  /** The shim stays until the process ends and tells its exit code. */
  waits: boolean;
  /** Then: where this process is gone, so is that one, and with it its pid namespace. */
  endsWithCaller?: boolean;
}

export type LaunchEvent =
  /** It is in its namespaces, and waits for {@link Launched.proceed} before it changes its root. */
  | { kind: 'sync' }
  /** All is set up; it waits for {@link Launched.proceed}, or at its start socket. */
  | { kind: 'created' }
  | { kind: 'started' }
  | { kind: 'terminal'; fd: Fd }
  | { kind: 'warning'; warning: ShimFailure }
  | { kind: 'failed'; failure: ShimFailure }
  /** 128 + signal where one ended it. */
  | { kind: 'exit'; code: number };

/** `enum Kind` and sizes of `struct Report` in native/shim/steps.h. */
const kinds = { created: 1, failed: 2, warning: 3, terminal: 4, sync: 6 };
const stepAt = 8;
const subjectAt = 32;
export const reportSize = 232;

/** A failure or warning as the shim's process tells it, at `offset` of a buffer. */
export function readReport(bytes: Buffer, offset = 0): { kind: number; failure: ShimFailure } {
  const text = (from: number, to: number) => {
    const part = bytes.subarray(offset + from, offset + to);
    const end = part.indexOf(0);
    return part.toString('utf8', 0, end < 0 ? part.length : end);
  };
  const errno = errnoName(bytes.readInt32LE(offset + 4));
  const failure = { step: text(stepAt, subjectAt), errno, subject: text(subjectAt, reportSize) };
  return { kind: bytes.readUInt32LE(offset), failure };
}

export const isFailure = ({ kind }: { kind: number }): boolean => kind === kinds.failed;

export class Launched {
  /** As this process's pid namespace has it; 0 until the first event. */
  pid = 0;
  private readonly verbs: ProcessVerbs;
  private readonly socket: Fd;
  private isClosed = false;

  constructor(verbs: ProcessVerbs, socket: Fd) {
    this.verbs = verbs;
    this.socket = socket;
  }

  /** The next thing it tells; null when the shim has nothing more to say. */
  async next(): Promise<LaunchEvent | null> {
    const got = await this.verbs.receive(this.socket);
    if (!got) return null;
    const bytes = Buffer.from(got.frame.buffer, got.frame.byteOffset, got.frame.byteLength);
    const pid = bytes.readInt32LE(2);
    if (pid > 0) this.pid = pid;
    const type = bytes.readUInt16LE(0);
    if (type === frame.started) return { kind: 'started' };
    if (type === frame.exit) return { kind: 'exit', code: bytes.readUInt32LE(6) };
    return this.reported(bytes, got.fds);
  }

  private reported(bytes: Buffer, fds: Fd[]): LaunchEvent {
    const { kind, failure } = readReport(bytes, 6);
    const [fd] = fds;
    if (kind === kinds.sync) return { kind: 'sync' };
    if (kind === kinds.created) return { kind: 'created' };
    if (kind === kinds.terminal && fd !== undefined) return { kind: 'terminal', fd };
    if (kind === kinds.warning) return { kind: 'warning', warning: failure };
    return { kind: 'failed', failure };
  }

  proceed(): void {
    this.verbs.send(this.socket, new Uint8Array(1), []);
  }

  /** Before the process has executed, this is its end. */
  close(): void {
    if (!this.isClosed) closeSync(this.socket);
    this.isClosed = true;
  }
}

const none = 0xffff_ffff;
const index = (at: number | undefined) => (at === undefined || at < 0 ? none : at);

/** @throws runtime.shim where the shim cannot be started. */
export async function launchProcess(verbs: ProcessVerbs, request: LaunchRequest): Promise<Launched> {
  const program = encodeProgram([
    [
      'launch',
      request.waits && request.endsWithCaller ? 2 : Number(request.waits),
      request.startDirectory ?? '',
      index(request.container),
      ...request.stdio.map((at) => index(at)),
    ],
    ['process', encodeSteps(request.steps)],
  ]);
  try {
    return new Launched(verbs, await verbs.spawnShim({ program, fds: request.fds }));
  } catch (cause) {
    throw new StackError('runtime.shim', {
      message: `The process that sets up containers could not be started: ${(cause as Error).message}.`,
      hint: 'Check that the machine has processes, descriptors and memory left.',
      cause,
    });
  }
}
