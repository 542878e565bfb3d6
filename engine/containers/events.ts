/**
 * What happens to the containers of a stack, as it happens, in docker's words. There is no daemon to remember: live events are
 * derived from what the shims tell, those of the past from what records and statuses still know.
 */
import { existsSync, type FSWatcher, mkdirSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { ContainerRecord, ContainerStatus } from '../../schemas/container.ts';
import type { ObservedContainer } from '../../schemas/snapshot.ts';
import type { Host } from '../host.ts';
import { entries } from '../state/entries.ts';
import type { Containers } from './containers.ts';

export interface ContainerEvent {
  record: ContainerRecord;
  /** `create`, `start`, `die`, `stop`, `oom`, `pause`, `unpause`, `health_status: healthy`, `destroy`. */
  action: string;
  /** ISO 8601. */
  time: string;
  attributes: Record<string, string>;
}

interface Source {
  engine: { host: Host; observeContainers(stack: string): ObservedContainer[] };
  containers: Containers;
  stack: string;
}

interface Watched {
  record: ContainerRecord;
  status: ContainerStatus;
  subscription: Disposable;
  /** Of its run directory: another shim may take it over. */
  watcher: FSWatcher | undefined;
}

const fresh: Pick<ContainerStatus, 'state' | 'health' | 'startedAt' | 'finishedAt'> = {
  state: 'created',
  health: 'none',
  startedAt: '',
  finishedAt: '',
};

/** In order of time: making, last start and last end of every container that is still there. */
export function pastEvents(found: ObservedContainer[]): ContainerEvent[] {
  return found
    .flatMap(({ record, status }) => [created(record), ...changes(record, fresh, status)])
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

export class StackEvents implements Disposable {
  private readonly source: Source;
  private readonly onEvent: (event: ContainerEvent) => void;
  private readonly watched = new Map<string, Watched>();
  /** Directories that have no record yet. */
  private readonly unfinished = new Map<string, FSWatcher>();
  private readonly parent: FSWatcher;
  private readonly runs: FSWatcher;
  private directory: FSWatcher | undefined;

  /** Tells of everything from now on; the stack need not be there yet. */
  constructor(source: Source, onEvent: (event: ContainerEvent) => void) {
    this.source = source;
    this.onEvent = onEvent;
    const { stacks } = source.engine.host.layout;
    mkdirSync(stacks, { recursive: true, mode: 0o700 });
    this.parent = watch(stacks, (_, name) => name === source.stack && this.enter());
    // Of all containers: the directory of one comes after its record.
    const runs = dirname(source.engine.host.layout.containerRun('any'));
    mkdirSync(runs, { recursive: true, mode: 0o700 });
    this.runs = watch(runs, (_, id) => {
      const one = this.watched.get(id ?? '');
      if (one) this.follow(one);
    });
    this.enter(true);
  }

  [Symbol.dispose](): void {
    this.parent.close();
    this.runs.close();
    this.directory?.close();
    for (const watcher of this.unfinished.values()) watcher.close();
    for (const { watcher, subscription } of this.watched.values()) {
      watcher?.close();
      subscription[Symbol.dispose]();
    }
    this.watched.clear();
  }

  private enter(isFirst = false): void {
    this.directory?.close();
    this.directory = watchIfThere(this.layout.stackDir(this.source.stack), (id) => this.look(id));
    this.scan(isFirst);
    // Directories that were made before anybody watched, and have no record yet.
    for (const id of entries(this.layout.stackDir(this.source.stack))) if (!this.watched.has(id)) this.look(id);
  }

  private get layout() {
    return this.source.engine.host.layout;
  }

  /** A directory comes before its record. */
  private look(id: string): void {
    const directory = this.layout.containerDir(this.source.stack, id);
    if (existsSync(directory) && !this.watched.has(id) && !this.unfinished.has(id)) {
      const watcher = watchIfThere(directory, (name) => {
        if (name !== 'container.json' || !existsSync(`${directory}/container.json`)) return;
        this.unfinished.get(id)?.close();
        this.unfinished.delete(id);
        this.scan();
      });
      if (watcher) this.unfinished.set(id, watcher);
    }
    this.scan();
  }

  private scan(isFirst = false): void {
    let found: ObservedContainer[];
    try {
      found = this.source.engine.observeContainers(this.source.stack);
    } catch {
      // A damaged record is told of by those who need it.
      return;
    }
    const ids = new Set(found.map(({ record }) => record.id));
    for (const [id, one] of this.watched) if (!ids.has(id)) this.leave(one);
    for (const { record, status } of found) {
      if (this.watched.has(record.id)) continue;
      if (!isFirst) this.onEvent(created(record));
      const before = isFirst ? status : { ...status, ...fresh };
      const one: Watched = { record, status: before, subscription: nothing, watcher: undefined };
      this.watched.set(record.id, one);
      this.follow(one);
    }
  }

  /** Its shim's socket is there by now, or comes: once with every start. */
  private follow(one: Watched): void {
    one.watcher ??= watchIfThere(this.layout.containerRun(one.record.id), (name) => {
      if (name === 'control') this.subscribe(one);
    });
    this.subscribe(one);
  }

  private subscribe(one: Watched): void {
    one.subscription[Symbol.dispose]();
    one.subscription = this.source.containers.watch(one.record, (status) => this.take(one, status));
    // One that ends at once may be gone before its shim is heard: what it left says so.
    setTimeout(() => this.lookBack(one), 200).unref();
  }

  private take(one: Watched, status: ContainerStatus): void {
    const before = one.status;
    one.status = status;
    for (const event of changes(one.record, before, status)) this.onEvent(event);
  }

  private lookBack(one: Watched): void {
    if (this.watched.get(one.record.id) !== one) return;
    const { engine, stack } = this.source;
    try {
      const found = engine.observeContainers(stack).find(({ record }) => record.id === one.record.id);
      if (!found) return;
      const { state, startedAt, finishedAt } = found.status;
      if (state === 'exited' && finishedAt !== one.status.finishedAt) this.take(one, found.status);
      // Its socket was there before anybody listened on it.
      else if (one.status.state === 'created' || (isUp(state) && startedAt !== one.status.startedAt))
        this.subscribe(one);
    } catch {
      // A damaged record is told of by those who need it.
    }
  }

  private leave(one: Watched): void {
    const { record, watcher, subscription } = one;
    this.watched.delete(record.id);
    watcher?.close();
    subscription[Symbol.dispose]();
    // Its end may have come faster than its shim's last word.
    if (isUp(one.status.state)) {
      const status: ContainerStatus = { ...one.status, state: 'exited', finishedAt: new Date().toISOString() };
      for (const event of changes(record, one.status, status)) this.onEvent(event);
    }
    this.onEvent(event(record, 'destroy', ''));
  }
}

const nothing: Disposable = { [Symbol.dispose]() {} };

const isUp = (state: ContainerStatus['state']) => state === 'running' || state === 'paused';

/** The events between two statuses of one container. */
export function changes(
  record: ContainerRecord,
  before: Pick<ContainerStatus, 'state' | 'health' | 'startedAt' | 'finishedAt'>,
  now: ContainerStatus,
): ContainerEvent[] {
  const events: ContainerEvent[] = [];
  const tell = (action: string, time = '', more: Record<string, string> = {}) =>
    events.push(event(record, action, time, more));
  const hasRunAnew = now.startedAt !== '' && now.startedAt !== before.startedAt;
  const die = (start: string) => {
    if (now.isOomKilled) tell('oom', now.finishedAt);
    const ms = Math.max(0, Date.parse(now.finishedAt) - Date.parse(start));
    tell('die', now.finishedAt, { execDuration: `${Math.floor(ms / 1000) || 0}`, exitCode: `${now.exitCode}` });
    if (now.isStopRequested) tell('stop', now.finishedAt);
  };
  // One run may have ended and the next begun between two looks.
  if (isUp(before.state) && hasRunAnew) die(before.startedAt);
  if (hasRunAnew) tell('start', now.startedAt);
  if (!isUp(now.state) && now.state !== 'created' && (hasRunAnew || isUp(before.state))) die(now.startedAt);
  if (now.state === 'paused' && before.state !== 'paused') tell('pause');
  if (before.state === 'paused' && now.state === 'running' && !hasRunAnew) tell('unpause');
  const isTold = now.health === 'healthy' || now.health === 'unhealthy';
  if (isTold && now.health !== before.health && isUp(now.state)) tell(`health_status: ${now.health}`);
  return events;
}

const created = (record: ContainerRecord) => event(record, 'create', record.createdAt);

function event(
  record: ContainerRecord,
  action: string,
  time: string,
  more: Record<string, string> = {},
): ContainerEvent {
  const labels = Object.entries(record.labels).filter(([name]) => !name.startsWith('com.docker.compose.'));
  const attributes = {
    ...Object.fromEntries(labels),
    ...more,
    image: record.config.image ?? record.image.name,
    name: record.name,
  };
  return { record, action, time: time || new Date().toISOString(), attributes };
}

function watchIfThere(directory: string, onChange: (name: string) => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, (_, name) => name !== null && onChange(name));
    watcher.on('error', () => {});
    return watcher;
  } catch {
    return undefined;
  }
}
