/** A process in the foreground: its terminal is this one, signals go on to it, and its exit code comes back. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { ReadStream } from 'node:tty';
import type { Launched } from '../../engine/runtime/launcher.ts';
import type { Runtime } from '../../engine/runtime/oci/create.ts';
import { setUpError } from '../../engine/runtime/oci/failure.ts';

const forwarded: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

export class Foreground {
  private readonly runtime: Runtime;
  private terminal: ReadStream | undefined;
  private readonly undo: (() => void)[] = [];
  /** Signals that came before it is known whose they are. */
  private readonly early: NodeJS.Signals[] = [];
  private signal = (signal: NodeJS.Signals): void => void this.early.push(signal);

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  takeTerminal(fd: number): void {
    const { stdin, stdout } = process;
    const terminal = new ReadStream(fd);
    this.terminal = terminal;
    terminal.on('error', () => {}); // EIO: nobody has the other end open any more
    terminal.on('data', (chunk: Buffer) => stdout.write(chunk));
    stdin.on('data', (chunk: Buffer) => terminal.write(chunk));
    const resize = () => {
      const { rows, columns } = stdout;
      if (rows && columns) this.runtime.kernel.process.setWindowSize(fd, rows, columns);
    };
    if (stdin.isTTY) {
      stdin.setRawMode(true);
      stdout.on('resize', resize);
      resize();
    }
    this.undo.push(() => {
      stdin.setRawMode?.(false);
      stdin.destroy();
    });
  }

  /** Resolves when the program runs. @throws what kept it from running. */
  async started(id: string, launched: Launched): Promise<void> {
    for (;;) {
      const event = await launched.next();
      if (event === null || event.kind === 'started') break;
      if (event.kind === 'failed') throw setUpError(id, event.failure);
      if (event.kind === 'terminal') this.takeTerminal(event.fd);
    }
    this.forward(launched);
  }

  /** From now on signals are the process's: called before it can run, so that none is missed. Until {@link restore}. */
  listen(): void {
    const hear = (signal: NodeJS.Signals) => this.signal(signal);
    for (const signal of forwarded) process.on(signal, hear);
    this.undo.push(() => {
      for (const signal of forwarded) process.off(signal, hear);
    });
  }

  /** Tells whose the signals are. Those that came before go on to it now. */
  forward(launched: Launched): void {
    const { process: verbs } = this.runtime.kernel;
    let pidfd: number;
    try {
      pidfd = verbs.pidfdOpen(launched.pid);
    } catch {
      return; // It has ended already.
    }
    const early = this.early.splice(0);
    this.signal = (signal) => {
      try {
        verbs.pidfdSignal(pidfd, constants.signals[signal]);
      } catch {
        // It has ended.
      }
    };
    early.forEach(this.signal);
    this.undo.push(() => closeSync(pidfd));
  }

  /** The exit code; 128 + signal where one ended it. */
  async ended(launched: Launched): Promise<number> {
    for (;;) {
      const event = await launched.next();
      if (event === null) return 255;
      if (event.kind !== 'exit') continue;
      await this.drained();
      return event.code;
    }
  }

  /** What the terminal still holds, and what a slow reader of ours has not taken yet. */
  private async drained(): Promise<void> {
    const { terminal } = this;
    if (!terminal) return;
    if (!terminal.readableEnded && !terminal.destroyed) {
      await new Promise<void>((resolve) => {
        terminal.once('end', resolve).once('close', resolve);
        // A process that outlives the first one may hold it open.
        setTimeout(resolve, 100);
      });
    }
    await new Promise<void>((resolve) => void process.stdout.write('', () => resolve()));
  }

  restore(): void {
    for (const each of this.undo.splice(0)) each();
    this.terminal?.destroy();
  }
}
