import { Command, Option } from 'commander';
import type { Engine } from '../engine/engine.ts';
import type { Loaded } from '../planner/load/load.ts';
import { StackError } from '../schemas/errors.ts';
import type { PlanFile } from '../schemas/plan-file.ts';
import { apply, given, timeoutMs } from './apply.ts';
import { type Context, collect, define } from './command.ts';
import { checkServices } from './containers.ts';
import { checkPlanFlags, conflict, type PlanFlags, planOptions, reconcileOptions } from './plan-options.ts';
import { loadSupported } from './project.ts';
import { renderer } from './render/render.ts';
import type { WatchSession, WatchStack } from './watch/session.ts';

export interface UpFlags extends PlanFlags {
  detach?: boolean;
  plan?: string;
  waitTimeout?: number;
  color: boolean;
  logPrefix: boolean;
  quietPull?: boolean;
  abortOnContainerExit?: boolean;
  abortOnContainerFailure?: boolean;
  exitCodeFrom?: string;
  attach?: string[];
  attachDependencies?: boolean;
  noAttach?: string[];
  timestamps?: boolean;
  watch?: boolean;
  menu?: boolean;
  quietBuild?: boolean;
}

export const up = define<UpFlags>({
  usage: 'up [SERVICE...]',
  summary: 'Create and start the stack, or change it to what the stack file says now',
  dryRun: 'told',
  examples: [
    ['stack up -d', 'Start the stack and leave it running.'],
    ['stack up --wait db', 'Start db and what it needs, and return once it is healthy.'],
  ],
  options(command) {
    planOptions(command)
      .option('--plan <file>', 'do exactly what this file of `stack plan -o` says, or nothing')
      .option('-d, --detach', 'leave it running and return')
      .option('--wait-timeout <seconds>', 'longest time to wait', timeoutMs)
      .option('--quiet-pull', 'do not show the progress of pulls')
      .option('--quiet-build', 'do not show the progress of builds')
      .option('--abort-on-container-exit', 'stop all containers when one ends')
      .option('--abort-on-container-failure', 'stop all containers when one ends with a failure')
      .option('--exit-code-from <service>', 'end with the exit code of this service; implies --abort-on-container-exit')
      .option('--attach <service>', 'show the log of this service (repeatable)', collect)
      .addOption(notAttached())
      .option('--attach-dependencies', 'also show the logs of what the services need')
      .option('--timestamps', 'put the time in front of each line')
      .option('--no-color', 'do not colour the names')
      .option('--no-log-prefix', 'do not put names in front of the lines')
      .option('-w, --watch', 'bring changes of files into the containers, as `stack watch` does')
      .addOption(new Option('-y, --yes', 'ask nothing').hideHelp())
      .addOption(new Option('--menu', 'there is none: told, and passed over').hideHelp());
  },
  async action(context, services, flags) {
    checkCombination(flags, services);
    const { quietPull = false, quietBuild = false } = flags;
    const show = renderer(context, { quietPull, quietBuild });
    if (flags.menu) show.emit({ type: 'warning', error: noMenu() });
    const engine = await context.engine();
    const file = flags.plan === undefined ? undefined : (await import('./plan-file.ts')).readPlan(flags.plan, engine);
    const read = flags.watch ? new (await import('./watch/configuration.ts')).ReadFiles() : undefined;
    const loaded = await loadSupported(
      context,
      show.emit,
      file?.options.services ?? services,
      given({ onRead: read?.add }),
    );
    const { project, options, inspect } = await decided(context, engine, loaded, services, flags, file);
    const rules = read
      ? await (await import('./watch/rules.ts')).rulesOf(loaded, options.services ?? [], show.emit, read.add)
      : [];
    const { attach = [], noAttach = [], exitCodeFrom = [] } = flags;
    checkServices([...attach, ...noAttach].concat(exitCodeFrom), new Set(Object.keys(project.services)));
    const isDetached = flags.detach || options.wait || options.noStart;
    const startedAt = new Date().toISOString();
    const how = given({ command: 'stack up', waitTimeoutMs: flags.waitTimeout, inspect });
    const applied = await apply(context, engine, project, options, how, show);
    if (isDetached || context.globals.dryRun) return 0;
    await using watching = read
      ? await beginWatch(context, engine, { loaded, rules, read, services: options.services ?? [], options })
      : undefined;
    const { foreground } = await import('./foreground.ts');
    const following = { services: options.services ?? [], flags, startedAt };
    return await foreground(
      context,
      engine,
      project,
      applied,
      given({ ...following, beforeStop: watching && (() => watching.end()) }),
    );
  },
});

/** Beside the logs, line by line as they are. */
async function beginWatch(
  context: Context,
  engine: Engine,
  stack: Omit<WatchStack, 'emit' | 'isQuiet'>,
): Promise<WatchSession> {
  const [{ WatchSession }, { byLine }] = await Promise.all([import('./watch/session.ts'), import('./watch.ts')]);
  const { emit } = renderer(byLine(context));
  const session = new WatchSession(context, engine, { ...stack, emit, isQuiet: false });
  await session.begin();
  return session;
}

/** It has a value of its own: for commander it would be the negation of --attach, and its value one of those. */
function notAttached(): Option {
  const option = new Option('--no-attach <service>', 'do not show the log of this service (repeatable)');
  option.argParser(collect).negate = false;
  option.attributeName = () => 'noAttach';
  return option;
}

const noMenu = () =>
  new StackError('plan.warning', {
    message: 'There is no menu: --menu changes nothing, and keys do nothing.',
    hint: 'Ctrl-C stops the stack.',
  });

/** What is to be done: as the flags say, or as a plan says that was made before. */
async function decided(
  { environment }: Context,
  engine: Engine,
  loaded: Loaded,
  services: string[],
  flags: UpFlags,
  file: PlanFile | undefined,
) {
  const isFrozen = file ? file.options.frozen : flags.frozen;
  const project = isFrozen ? await (await import('./lock/frozen.ts')).frozen(loaded) : loaded.project;
  if (file) return { project, ...(await import('./plan-file.ts')).follow(file, { loaded, project }, engine) };
  const options = reconcileOptions(services, loaded.disabled, flags, environment);
  return { project, options, inspect: undefined };
}

/** @throws StackError usage for flags that contradict each other, as docker compose has it */
function checkCombination(flags: UpFlags, services: string[]): void {
  checkPlanFlags(flags);
  const isAborting = flags.abortOnContainerExit || flags.exitCodeFrom !== undefined;
  const attached: [boolean | undefined, string][] = [
    [isAborting, flags.exitCodeFrom === undefined ? '--abort-on-container-exit' : '--exit-code-from'],
    [flags.abortOnContainerFailure, '--abort-on-container-failure'],
    [flags.attach !== undefined, '--attach'],
    [flags.attachDependencies, '--attach-dependencies'],
  ];
  for (const [isGiven, name] of attached) {
    if (isGiven && flags.wait) conflict('--wait', name);
    if (isGiven && flags.detach) conflict('--detach', name);
  }
  if (flags.watch && flags.detach) conflict('--watch', '--detach');
  if (flags.watch && flags.wait) conflict('--watch', '--wait');
  if (flags.attach && flags.attachDependencies) conflict('--attach', '--attach-dependencies');
  if (flags.abortOnContainerExit && flags.abortOnContainerFailure) {
    conflict('--abort-on-container-exit', '--abort-on-container-failure');
  }
  if (flags.plan !== undefined) checkBesidePlan(flags, services);
}

/** A plan was made with the flags that decide what happens: beside it they could only say something else. */
function checkBesidePlan(flags: UpFlags, services: string[]): void {
  if (services.length > 0) conflict('--plan', 'services');
  const deciding = new Set(planOptions(new Command()).options.map((option) => option.attributeName()));
  for (const [name, value] of Object.entries(flags)) {
    // Commander's negated flags are true unless given.
    const isNegated = ['recreate', 'deps', 'start'].includes(name);
    if (!deciding.has(name) || value === undefined || (isNegated && value === true)) continue;
    const isNot = isNegated || value === false;
    conflict('--plan', `--${isNot ? 'no-' : ''}${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  }
}
