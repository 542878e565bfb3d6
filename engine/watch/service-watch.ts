/** The watch of one service: copies at once, everything dearer one after the other, and what is out of date not at all. */
import { closeSync } from 'node:fs';
import { type Copy, type Decision, decide, type MatchedRule } from '../../planner/watch/decide.ts';
import { below } from '../../planner/watch/matcher.ts';
import type { ContainerRecord } from '../../schemas/container.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { ServiceHook } from '../../schemas/project.ts';
import type { SyncedPaths, WatchChange } from '../../schemas/watch.ts';
import type { Engine } from '../engine.ts';
import { ActionLane } from './action-lane.ts';
import { isContainerRoot, openContainerRoot } from './container-root.ts';
import { type Delivery, deliver } from './deliver.ts';
import { deliveriesOf, readManifest, type SyncedRoot, takeOver, writeManifest } from './manifest.ts';
import type { Entry, SourceTree } from './source-tree.ts';
import { takeTurn } from './turn.ts';
import type { WatchRequest } from './watch.ts';

/** What a watch cannot do by itself: all of it is the engine's, under the stack's lock. */
export interface WatchActions {
  /** Builds the image and replaces the containers. `onBuilt`: from here on it is not taken back for a newer save. */
  rebuild(service: string, signal: AbortSignal, onBuilt: () => void): Promise<void>;
  restart(service: string): Promise<void>;
  exec(record: ContainerRecord, hook: ServiceHook): Promise<void>;
  /** Something failed; the watch goes on. */
  onError(service: string, error: StackError): void;
}

/** Quiet after which a manifest is written: that it is behind until then only lets more be looked at. */
const saveMs = 2000;
/** How often a service that is down is looked at while something waits for it. */
const lookMs = 500;
/** Files that are named in a line. */
const mostNamed = 3;

export class ServiceWatch implements AsyncDisposable {
  private readonly engine: Engine;
  private readonly request: WatchRequest;
  private readonly service: string;
  private readonly matched: MatchedRule[];
  private readonly lane: ActionLane;
  private roots: SyncedRoot[] = [];
  private tree: SourceTree | undefined;
  private copying: Promise<unknown> = Promise.resolve();
  private saving: NodeJS.Timeout | undefined;
  /** What a container that was down is still to get, by place in the container. */
  private readonly missed = new Map<string, Delivery>();
  private looking: NodeJS.Timeout | undefined;

  constructor(engine: Engine, request: WatchRequest, service: string, matched: MatchedRule[]) {
    this.engine = engine;
    this.request = request;
    this.service = service;
    this.matched = matched;
    this.lane = new ActionLane({
      restart: () => this.saved(() => request.actions.restart(service)),
      rebuild: (signal, onBuilt) => this.saved(() => request.actions.rebuild(service, signal, onBuilt)),
      exec: async (hooks) => {
        for (const record of this.records()) for (const hook of hooks) await request.actions.exec(record, hook);
      },
      onDone: (action, because, since) => this.tell(action, because, since),
      onFailed: async (after, error) => {
        request.actions.onError(service, error);
        // The old container stays, and it has missed what the new one would have been given.
        if (after === 'rebuild') await this.copy(this.roots.flatMap((root) => deliveriesOf(root, new Set())));
      },
    });
  }

  /** Takes up where the last watch ended. */
  async begin(tree: SourceTree): Promise<void> {
    this.tree = tree;
    const before = readManifest(this.engine.host, this.request.stack, this.service) ?? [];
    const deliveries: Delivery[] = [];
    for (const { rule, matcher } of this.matched) {
      if (rule.target === undefined) continue;
      const { path, target, ignore, include } = rule;
      const paths: SyncedPaths = { path, target, ignore, ...(include ? { include } : {}) };
      const now = entriesOf(tree, path, matcher.takes);
      const known = before.find((one) => one.paths.path === path && one.paths.target === target);
      const root: SyncedRoot = { paths, known: known?.known ?? now, synced: known?.synced ?? new Set() };
      this.roots.push(root);
      const changed = takeOver(root, now);
      if (rule.hasInitialSync) for (const at of now.keys()) root.synced.add(at);
      if (rule.hasInitialSync || changed.size > 0) deliveries.push(...deliveriesOf(root, changed));
    }
    this.save();
    const began = performance.now();
    const count = await this.copy(deliveries);
    if (count > 0) {
      const named = deliveries
        .slice(0, mostNamed)
        .map(({ from, path }) => this.request.shown(path ? `${from}/${path}` : from));
      this.emit('sync', named, count, began);
    }
  }

  /** @param since when the first of them was told, of performance.now(). */
  onChanges(changes: WatchChange[], since: number): void {
    const decision = decide(this.matched, changes);
    if (!decision) return;
    const deliveries = decision.copies.map((copy) => this.mark(copy));
    if (deliveries.length > 0) this.saveSoon();
    // The new container is given everything before it starts.
    const isNeeded = deliveries.length > 0 && decision.after !== 'rebuild';
    if (!isNeeded) {
      this.act(decision, since);
      return;
    }
    this.next(async () => {
      await this.copy(deliveries);
      this.act(decision, since);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.looking);
    await this.copying;
    await this.lane[Symbol.asyncDispose]();
    if (this.saving) this.save();
  }

  /** One copy after the other; what one of them fails with ends none of the others. */
  private next(work: () => Promise<unknown>): void {
    this.copying = this.copying
      .then(work)
      .catch((error) => this.request.actions.onError(this.service, asStackError(error)));
  }

  private act({ after, because, execs }: Decision, since: number): void {
    if (because.length === 0) return;
    if (after === 'nothing') this.tell('sync', because, since);
    else this.lane.ask({ after, because, execs, since });
  }

  private mark({ rule, path, change }: Copy): Delivery {
    const root = this.roots.find(({ paths }) => paths.path === rule.path && paths.target === rule.target);
    const entry = this.tree!.entry(path ? `${rule.path}/${path}` : rule.path);
    if (!change.isTransient) root?.synced.add(path);
    if (entry) root?.known.set(path, entry);
    else root?.known.delete(path);
    return { from: rule.path, to: rule.target!, path, isChanged: true, isGone: !entry };
  }

  /** Into every container of the service that runs; the others are given it when they do. Answers how many entries. */
  private async copy(deliveries: Delivery[]): Promise<number> {
    if (deliveries.length === 0) return 0;
    const { host } = this.engine;
    // As the tree has it now: more may have been looked at since.
    const at = ({ from, path }: Delivery) => this.tree!.entry(path ? `${from}/${path}` : from);
    const current = () => deliveries.map((one) => ({ ...one, isGone: !at(one) }));
    let count = 0;
    let isMissed = false;
    using _turn = await takeTurn(host, this.request.stack, this.service);
    for (const record of this.records()) {
      const root = openContainerRoot(host, record);
      if (root === undefined) {
        isMissed = true;
        continue;
      }
      try {
        const delivered = await deliver(host.kernel.filesystem, root, current(), record.name);
        count += delivered.count;
        // It ended meanwhile, and its monitor may have started it anew.
        if (!isContainerRoot(host, record, root)) isMissed = true;
        else for (const error of delivered.errors) this.request.emit({ type: 'warning', error });
      } finally {
        closeSync(root);
      }
    }
    if (isMissed) this.remember(deliveries);
    return count;
  }

  private remember(deliveries: Delivery[]): void {
    if (this.missed.size === 0 && !this.lane.isBusy) {
      const error = new StackError('runtime.not-running', {
        message: `${this.service} does not run: what was saved arrives when it starts.`,
        resource: `services.${this.service}`,
      });
      this.request.emit({ type: 'warning', error });
    }
    for (const delivery of deliveries) this.missed.set(`${delivery.to}/${delivery.path}`, delivery);
    this.looking ??= setInterval(() => {
      if (!this.records().some((record) => this.runs(record))) return;
      clearInterval(this.looking);
      this.looking = undefined;
      const all = [...this.missed.values()];
      this.missed.clear();
      this.next(() => this.copy(all));
    }, lookMs);
  }

  private runs(record: ContainerRecord): boolean {
    const root = openContainerRoot(this.engine.host, record);
    if (root !== undefined) closeSync(root);
    return root !== undefined;
  }

  private records(): ContainerRecord[] {
    const all = this.engine.observeContainers(this.request.stack);
    return all.map(({ record }) => record).filter((one) => one.service === this.service && !one.isOneOff);
  }

  private saveSoon(): void {
    if (this.saving) this.saving.refresh();
    else this.saving = setTimeout(() => this.save(), saveMs);
  }

  private save(): void {
    clearTimeout(this.saving);
    this.saving = undefined;
    writeManifest(this.engine.host, this.request.stack, this.service, this.roots);
  }

  /** Whoever makes or starts a container reads the manifest. */
  private async saved<T>(work: () => Promise<T>): Promise<T> {
    this.save();
    return work();
  }

  private tell(action: string, because: WatchChange[], since: number): void {
    const named = because.slice(0, mostNamed).map(({ path }) => this.request.shown(path));
    this.emit(action, named, because.length, since);
  }

  private emit(action: string, paths: string[], count: number, since: number): void {
    const { emit } = this.request;
    emit({ type: 'watch', service: this.service, action, paths, count, ms: performance.now() - since });
  }
}

function entriesOf(tree: SourceTree, top: string, takes: (path: string) => boolean): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const [path, entry] of tree.entries(top)) if (takes(path)) entries.set(below(top, path)!, entry);
  return entries;
}
