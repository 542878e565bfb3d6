/** A container's process at the user's terminal or in the user's pipe: bytes as they are, both ways. */
import { closeSync, fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Duplex, Readable, Writable } from 'node:stream';
import { ReadStream } from 'node:tty';
import type { Session } from '../engine/containers/containers.ts';
import type { ExitStatus } from '../schemas/container.ts';
import type { Context } from './command.ts';
import { DetachKeys } from './detach-keys.ts';

type Terminal = Pick<Context, 'stdin' | 'stdout' | 'stderr'>;

/** How long output may keep silent after the process ended while something it left behind holds it open. */
const DRAIN_MS = 300;

export interface PumpOptions {
  /** Bytes that, typed at a terminal, leave the process alone from then on. */
  detachKeys?: Buffer;
  /** False: a signal ends the looking on, and not the process. */
  passesSignals?: boolean;
}

/**
 * Pumps until the process ends and its output is read to the end. With `isTty` the user's terminal is raw meanwhile, and
 * is restored however this process ends. Signals that reach this process are passed on.
 */
export async function pump(
  session: Session,
  terminal: Terminal,
  isTty: boolean,
  { detachKeys, passesSignals = true }: PumpOptions = {},
): Promise<ExitStatus & { isDetached?: boolean }> {
  const { stdin, stdout, stderr } = terminal;
  const detached = Promise.withResolvers<'detached'>();
  using stack = new DisposableStack();
  stack.defer(() => session.close());
  const isShared = session.stdin === session.stdout;
  const output = open(session.stdout, { readable: true, writable: isShared });
  const errors =
    session.stderr === null || session.stderr === session.stdout
      ? null
      : open(session.stderr, { readable: true, writable: false });
  const input =
    session.stdin === null ? null : isShared ? output : open(session.stdin, { readable: false, writable: true });
  for (const stream of new Set([output, errors, input])) stack.defer(() => stream?.destroy());

  const ends = [copy(output, stdout)];
  if (errors) ends.push(copy(errors, stderr));
  if (isTty) stack.defer(raw(terminal, session));
  if (passesSignals) stack.defer(forwardSignals(session, isTty));
  const keys = isTty && detachKeys ? new DetachKeys(detachKeys, () => detached.resolve('detached')) : undefined;
  if (input) stack.defer(feed(stdin, input, isTty, keys));

  const status = await Promise.race([session.exited, detached.promise]);
  if (status === 'detached') return { exitCode: 0, isOomKilled: false, isDetached: true };
  await Promise.race([Promise.all(ends), silence([output, errors])]);
  return status;
}

/** A descriptor as a stream: the master of a terminal, or an end of a pipe or of a socket. */
function open(fd: number, ends: { readable: boolean; writable: boolean }): Duplex {
  if (fstatSync(fd).isCharacterDevice()) return new ReadStream(fd);
  return new Socket({ fd, ...ends, allowHalfOpen: true });
}

/** Resolves at the end of `from`. A terminal whose last process is gone answers EIO: that is its end. */
function copy(from: Readable, to: Writable): Promise<void> {
  return new Promise((resolve) => {
    from.on('data', (chunk: Buffer) => {
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    from
      .once('end', resolve)
      .once('close', resolve)
      .once('error', () => resolve());
  });
}

/** Resolves once none of the streams has brought anything for {@link DRAIN_MS} that its reader would have taken. */
function silence(streams: (Readable | null)[]): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (streams.some((stream) => stream?.isPaused())) timer.refresh();
      else resolve();
    };
    const timer = setTimeout(look, DRAIN_MS);
    for (const stream of streams) stream?.on('data', () => timer.refresh());
  });
}

function feed(stdin: Terminal['stdin'], input: Writable, isTty: boolean, keys?: DetachKeys): () => void {
  // The process may end, or close its input, before everything was sent.
  input.on('error', () => {});
  const onData = (chunk: Buffer) => {
    if (!input.write(keys ? keys.pass(chunk) : chunk)) {
      stdin.pause();
      input.once('drain', () => stdin.resume());
    }
  };
  const onEnd = () => {
    if (!isTty) input.end();
  };
  stdin.on('data', onData).once('end', onEnd);
  stdin.on('error', onEnd);
  return () => {
    stdin.off('data', onData).off('end', onEnd);
    stdin.pause();
    // A read of a terminal that is under way would keep the process alive.
    stdin.unref?.();
  };
}

function raw({ stdin, stdout }: Terminal, session: Session): () => void {
  const resize = () => {
    const { rows, columns } = stdout;
    if (rows && columns) session.resize(rows, columns);
  };
  const restore = () => stdin.setRawMode?.(false);
  stdin.setRawMode?.(true);
  // Also after an error that nobody caught.
  process.once('exit', restore);
  stdout.on('resize', resize);
  resize();
  return () => {
    restore();
    process.off('exit', restore);
    stdout.off('resize', resize);
  };
}

/** Ctrl-C is the container's to answer; whoever presses it three times wants out, as does a second SIGTERM. In raw mode it is a byte as any other. */
function forwardSignals(session: Session, isTty: boolean): () => void {
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];
  let interrupts = 0;
  let terminations = 0;
  const forward = (signal: NodeJS.Signals) => {
    if (signal === 'SIGINT' && ++interrupts === 3) process.exit(130);
    if (signal === 'SIGTERM' && ++terminations === 2) process.exit(143);
    session.signal(constants.signals[signal]);
    // An interactive shell is deaf to SIGTERM; that its terminal is gone it hears.
    if (isTty && signal === 'SIGTERM') session.signal(constants.signals.SIGHUP);
  };
  for (const signal of signals) process.on(signal, forward);
  return () => {
    for (const signal of signals) process.off(signal, forward);
  };
}

/** For a session whose streams nobody wants: `run -d`. */
export function abandon(session: Session): void {
  for (const fd of new Set([session.stdin, session.stdout, session.stderr])) if (fd !== null) closeSync(fd);
  session.close();
}
