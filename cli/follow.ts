/** Logs and ends of a stack's containers while they come and go: `up` in the foreground, `logs -f`. */
import { closeSync, type FSWatcher, openSync, watch } from 'node:fs';
import type { Containers } from '../engine/containers/containers.ts';
import type { Engine } from '../engine/engine.ts';
import { type LogLine, type LogRange, LogsFollower } from '../engine/logs/logs.ts';
import type { ContainerRecord, ContainerState, ContainerStatus } from '../schemas/container.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';

export interface FollowOptions {
  /** Which of the stack's containers. */
  select(record: ContainerRecord): boolean;
  /** What is shown of the logs of the containers that are there at the beginning. */
  range: LogRange;
  onLine(record: ContainerRecord, line: LogLine): void;
  /** A container that ran ended and is not restarted; its log was handed over to the end. */
  onExit?(record: ContainerRecord, status: ContainerStatus): void;
  onAppear?(records: ContainerRecord[]): void;
  /** ISO 8601: an end since then is told by `onExit` although it came before this began to look. */
  endsSince?: string;
}

const activeStates: ContainerState[] = ['running', 'paused', 'restarting'];

interface Watched {
  record: ContainerRecord;
  directory: string;
  id: string;
  state: ContainerState;
  subscription: Disposable;
}

export class StackFollower implements Disposable {
  private readonly engine: Engine;
  private readonly containers: Containers;
  private readonly stack: string;
  private readonly options: FollowOptions;
  private readonly logs: LogsFollower<Watched>;
  private readonly watched = new Map<string, Watched>();
  private readonly ended = Promise.withResolvers<void>();
  private watcher: FSWatcher | undefined;
  private scanning: Promise<void> = Promise.resolve();
  private isDisposed = false;
  private isWaiting = false;

  constructor(engine: Engine, containers: Containers, stack: string, options: FollowOptions) {
    this.engine = engine;
    this.containers = containers;
    this.stack = stack;
    this.options = options;
    this.logs = new LogsFollower((watched, line) => options.onLine(watched.record, line));
  }

  /** Resolves once no container runs any more and no command is at work that may start one. */
  async run(): Promise<void> {
    // The folder of the stack's containers: one appears with each container made.
    this.watcher = watch(this.engine.host.layout.stackDir(this.stack), () => this.rescan());
    this.watcher.on('error', () => {});
    await this.scan(this.options.range);
    this.endIfIdle();
    await this.ended.promise;
  }

  /** Ends {@link run} at once; ends of containers whose event is still on its way are told first. */
  stop(): void {
    for (const watched of this.watched.values()) this.onStatus(watched, this.containers.status(watched.record));
    this.ended.resolve();
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
    this.watcher?.close();
    for (const { subscription } of this.watched.values()) subscription[Symbol.dispose]();
    this.logs[Symbol.dispose]();
    this.ended.resolve();
  }

  private rescan(): void {
    this.scanning = this.scanning
      .then(() => this.scan({}))
      .then(
        () => this.endIfIdle(),
        () => this.endIfIdle(),
      );
  }

  private async scan(range: LogRange): Promise<void> {
    if (this.isDisposed) return;
    const containers = this.engine.observeContainers(this.stack);
    const present = containers.filter(({ record }) => this.options.select(record));
    const ids = new Set(present.map(({ record }) => record.id));
    for (const id of this.watched.keys()) if (!ids.has(id)) this.forget(id);
    const fresh = present.filter(({ record }) => !this.watched.has(record.id));
    if (fresh.length === 0) return;
    this.options.onAppear?.(fresh.map(({ record }) => record));
    const sources = fresh.map((container) => this.source(container));
    this.logs.add(sources, range);
    for (const source of sources) {
      source.subscription = this.containers.watch(source.record, (status) => this.onStatus(source, status));
    }
  }

  private source({ record, status }: ObservedContainer): Watched {
    const watched: Watched = {
      record,
      id: record.id,
      directory: this.engine.host.layout.containerDir(record.stack, record.id),
      state: this.endedUnseen(status) ? 'running' : status.state,
      subscription: { [Symbol.dispose]() {} },
    };
    this.watched.set(record.id, watched);
    return watched;
  }

  private endedUnseen({ state, finishedAt }: ContainerStatus): boolean {
    const { endsSince } = this.options;
    return state === 'exited' && endsSince !== undefined && Date.parse(finishedAt) >= Date.parse(endsSince);
  }

  private onStatus(watched: Watched, status: ContainerStatus): void {
    const before = watched.state;
    watched.state = status.state;
    if (activeStates.includes(status.state) || status.state === 'created') return;
    this.logs.drain(watched.id);
    if (activeStates.includes(before)) this.options.onExit?.(watched.record, status);
    this.endIfIdle();
  }

  private forget(id: string): void {
    const watched = this.watched.get(id);
    if (!watched) return;
    this.watched.delete(id);
    watched.subscription[Symbol.dispose]();
    this.logs.end(id);
  }

  private get isIdle(): boolean {
    return [...this.watched.values()].every(({ state }) => !activeStates.includes(state));
  }

  /** Nothing runs: the end, unless a command that holds the stack's lock is about to start something again. */
  private endIfIdle(): void {
    if (!this.isIdle || this.isWaiting) return;
    const { kernel, layout } = this.engine.host;
    let fd: number;
    try {
      fd = openSync(layout.lock(this.stack), 'r');
    } catch {
      this.ended.resolve();
      return;
    }
    if (kernel.filesystem.tryFlock(fd, 'shared')) {
      closeSync(fd);
      this.ended.resolve();
      return;
    }
    this.isWaiting = true;
    kernel.filesystem.flock(fd, 'shared', true).finally(() => {
      closeSync(fd);
      this.isWaiting = false;
      this.rescan();
    });
  }
}
