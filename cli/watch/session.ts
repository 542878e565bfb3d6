/** A watch as commands have it: the engine's, with the stack file itself watched besides, and everything told. */
import { relative } from 'node:path';
import type { Engine } from '../../engine/engine.ts';
import { startWatch, type Watch } from '../../engine/watch/watch.ts';
import type { Loaded } from '../../planner/load/load.ts';
import { hasChanges, planText } from '../../planner/plan/plan.ts';
import type { ReconcileOptions } from '../../planner/reconcile/options.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Emit } from '../../schemas/events.ts';
import type { WatchRule } from '../../schemas/watch.ts';
import { given } from '../apply.ts';
import type { Context } from '../command.ts';
import { loadSupported } from '../project.ts';
import { errorText } from '../render/error.ts';
import { style } from '../render/style.ts';
import { visible } from '../render/visible.ts';
import { configurationOf, ReadFiles, watchConfiguration } from './configuration.ts';
import { real, rulesOf } from './rules.ts';

export interface WatchStack {
  loaded: Loaded;
  rules: WatchRule[];
  /** Files that were read for both. */
  read: ReadFiles;
  /** Services named on the command line. */
  services: string[];
  /** How an edit of the stack file is applied. */
  options: ReconcileOptions;
  emit: Emit;
  isQuiet: boolean;
}

const command = 'stack watch';

export class WatchSession implements AsyncDisposable {
  private readonly context: Context;
  private readonly engine: Engine;
  private stack: WatchStack;
  private watch: Watch | undefined;
  private files: Disposable | undefined;
  private working: Promise<unknown> = Promise.resolve();
  private readonly ending = new AbortController();
  /** The last failure told, by service. */
  private readonly failed = new Map<string, string>();

  constructor(context: Context, engine: Engine, stack: WatchStack) {
    this.context = context;
    this.engine = engine;
    this.stack = stack;
  }

  async begin(): Promise<void> {
    const { loaded, rules, read } = this.stack;
    const top = real(loaded.projectDirectory);
    const emit: Emit = (event) => {
      if (event.type !== 'watch' || !this.stack.isQuiet) this.stack.emit(event);
    };
    this.watch = await startWatch(this.engine, {
      stack: loaded.project.name,
      rules,
      shown: (path) => relative(top, path) || '.',
      emit,
      actions: {
        rebuild: (service, signal, onBuilt) => this.rebuild(service, signal, onBuilt),
        restart: (service) => this.apply({ action: 'restart', services: [service] }),
        exec: async (record, hook) => {
          const { runHook } = await import('../../engine/containers/hooks.ts');
          await runHook(this.engine.host, record, 'sync+exec', hook, this.ending.signal);
        },
        onError: (service, error) => this.onError(service, error),
      },
    });
    const configuration = configurationOf(loaded, read);
    this.files = watchConfiguration(configuration, (paths) => {
      const ofDockerfile = paths.flatMap((path) => configuration.dockerfiles.get(path) ?? []);
      const ofMount = paths.flatMap((path) => configuration.mounted.get(path) ?? []);
      const isReloaded = paths.some((path) => configuration.read.states.has(path));
      const shown = paths.map((path) => relative(top, path)).join(', ');
      if (isReloaded) this.queue(shown, () => this.reload(shown, ofDockerfile, ofMount));
      else this.queue(shown, () => this.change(shown, this.stack.loaded, ofDockerfile, ofMount));
    });
    const services = [...new Set(rules.map(({ service }) => service))];
    if (services.length > 0) this.say(`Watching ${this.watch.directories} directories for ${services.join(', ')}.`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  /** Nothing of it goes on. What is being built is given up. */
  async end(): Promise<void> {
    this.ending.abort(new StackError('plan.interrupted', { message: 'The watch ended.' }));
    this.files?.[Symbol.dispose]();
    await this.watch?.[Symbol.asyncDispose]();
    await this.working;
  }

  private queue(_: string, work: () => Promise<void>): void {
    this.working = this.working.then(async () => {
      if (this.ending.signal.aborted) return;
      try {
        await work();
      } catch (error) {
        if (!this.ending.signal.aborted) this.onError('', asStackError(error));
      }
    });
  }

  /** The stack as its files say now. What is wrong with them is told, and the watch goes on as before. */
  private async reload(shown: string, ofDockerfile: string[], ofMount: string[]): Promise<void> {
    const read = new ReadFiles();
    const { services, emit } = this.stack;
    const loaded = await loadSupported(this.context, emit, services, { onRead: read.add });
    const rules = await rulesOf(loaded, services, emit, read.add);
    await this.change(shown, loaded, ofDockerfile, ofMount);
    this.files?.[Symbol.dispose]();
    await this.watch?.[Symbol.asyncDispose]();
    this.stack = { ...this.stack, loaded, rules, read };
    await this.begin();
  }

  /** Shows what an edit means for the stack, and does it. */
  private async change(shown: string, loaded: Loaded, ofDockerfile: string[], ofMount: string[]): Promise<void> {
    const { options } = this.stack;
    const all: ReconcileOptions[] = [{ ...options, disabledServices: Object.keys(loaded.disabled) }];
    // What is mounted as a file stays the old one where an editor puts a new one in its place.
    if (ofMount.length > 0) all.push({ action: 'up', services: ofMount, noDeps: true, forceRecreate: true });
    if (ofDockerfile.length > 0) all.push({ action: 'up', services: ofDockerfile, noDeps: true, build: true });
    let isChanged = false;
    for (const one of all) {
      const { plan } = await this.engine.plan(loaded.project, one);
      if (!hasChanges(plan)) continue;
      isChanged = true;
      this.say(`${shown} was edited:\n${planText(plan)}`);
      await this.apply(one, loaded);
    }
    if (!isChanged) this.say(`${shown} was edited: no changes.`);
    this.failed.clear();
  }

  private async rebuild(service: string, signal: AbortSignal, onBuilt: () => void): Promise<void> {
    const emit: Emit = (event) => {
      if (event.type === 'done' && event.kind === 'image.build') onBuilt();
      this.progress(event);
    };
    const any = AbortSignal.any([signal, this.ending.signal]);
    const options = { action: 'up' as const, services: [service], noDeps: true, build: true };
    await this.engine.apply(this.stack.loaded.project, options, { emit, signal: any, command });
    this.failed.delete(service);
  }

  private async apply(options: ReconcileOptions, loaded = this.stack.loaded): Promise<void> {
    const run = { emit: (event: Parameters<Emit>[0]) => this.progress(event), signal: this.ending.signal, command };
    await this.engine.apply(loaded.project, given(options), run);
  }

  /** What failed is told once, by the error that ends the run. */
  private progress(event: Parameters<Emit>[0]): void {
    if (event.type !== 'failed' && event.type !== 'skipped' && event.type !== 'timings') this.stack.emit(event);
  }

  private onError(service: string, error: StackError): void {
    const isAgain = this.failed.get(service) === error.message;
    this.failed.set(service, error.message);
    const { stderr, globals, environment } = this.context;
    if (globals.progress === 'json') stderr.write(`${JSON.stringify({ type: 'error', error })}\n`);
    else if (isAgain) stderr.write(` ${service}  failed as before\n`);
    else stderr.write(errorText(error, style(stderr, globals.ansi, environment)));
  }

  private say(text: string): void {
    if (this.context.globals.progress !== 'json' && !this.stack.isQuiet)
      this.context.stderr.write(`${visible(text)}\n`);
  }
}
