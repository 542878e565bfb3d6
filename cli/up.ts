import { InvalidArgumentError, Option } from 'commander';
import type { PullPolicy, ReconcileOptions } from '../planner/reconcile/options.ts';
import { StackError } from '../schemas/errors.ts';
import { apply, given, timeoutMs } from './apply.ts';
import { collect, define, refuse } from './command.ts';
import { checkServices } from './containers.ts';
import { removesOrphans } from './orphans.ts';
import { loadSupported } from './project.ts';
import { renderer } from './render/render.ts';

export interface UpFlags {
  detach?: boolean;
  wait?: boolean;
  waitTimeout?: number;
  forceRecreate?: boolean;
  alwaysRecreateDeps?: boolean;
  /** Commander's negated flags: false where given. */
  recreate: boolean;
  deps: boolean;
  start: boolean;
  color: boolean;
  logPrefix: boolean;
  removeOrphans?: boolean;
  renewAnonVolumes?: boolean;
  scale?: Record<string, number>;
  pull?: PullPolicy;
  /** `--build`, `--no-build`; neither is undefined. */
  build?: boolean;
  quietPull?: boolean;
  timeout?: number;
  abortOnContainerExit?: boolean;
  abortOnContainerFailure?: boolean;
  exitCodeFrom?: string;
  attach?: string[];
  attachDependencies?: boolean;
  noAttach?: string[];
  timestamps?: boolean;
  watch?: boolean;
}

export const up = define<UpFlags>({
  usage: 'up [SERVICE...]',
  summary: 'Create and start the stack, or change it to what the stack file says now',
  examples: [
    ['stack up -d', 'Start the stack and leave it running.'],
    ['stack up --wait db', 'Start db and what it needs, and return once it is healthy.'],
  ],
  options(command) {
    command
      .option('-d, --detach', 'leave it running and return')
      .option('--wait', 'return once every service runs, or is healthy where it has a health check')
      .option('--wait-timeout <seconds>', 'longest time to wait', timeoutMs)
      .option('--force-recreate', 'recreate containers though nothing changed')
      .option('--always-recreate-deps', 'with --force-recreate: also what the services need')
      .option('--no-recreate', 'leave containers that exist as they are')
      .option('--no-deps', 'only the services named, without what they need')
      .option('--no-start', 'create everything and start nothing')
      .option('--remove-orphans', 'remove containers of services that the stack file no longer has')
      .option('-V, --renew-anon-volumes', 'give recreated containers new anonymous volumes')
      .option('--scale <service=number>', 'number of containers of a service (repeatable)', scale)
      .addOption(new Option('--pull <policy>', 'when to pull images').choices(['always', 'missing', 'never']))
      .option('--quiet-pull', 'do not show the progress of pulls')
      .option('-t, --timeout <seconds>', 'time containers have to stop before they are killed', timeoutMs)
      .option('--abort-on-container-exit', 'stop all containers when one ends')
      .option('--abort-on-container-failure', 'stop all containers when one ends with a failure')
      .option('--exit-code-from <service>', 'end with the exit code of this service; implies --abort-on-container-exit')
      .option('--attach <service>', 'show the log of this service (repeatable)', collect)
      .option('--no-attach <service>', 'do not show the log of this service (repeatable)', collect)
      .option('--attach-dependencies', 'also show the logs of what the services need')
      .option('--timestamps', 'put the time in front of each line')
      .option('--no-color', 'do not colour the names')
      .option('--no-log-prefix', 'do not put names in front of the lines')
      .option('--build', 'build the images of services that have `build`, though they are there')
      .option('--no-build', 'build nothing: an image that is not there is an error')
      .addOption(new Option('-w, --watch', 'not supported yet'))
      .addOption(new Option('-y, --yes', 'ask nothing').hideHelp())
      .addOption(new Option('--menu', 'not supported yet').hideHelp());
  },
  async action(context, services, flags) {
    if (flags.watch) refuse('--watch');
    checkCombination(flags);
    const show = renderer(context, { quietPull: flags.quietPull === true });
    const { project, disabled } = await loadSupported(context, show.emit, services);
    const { attach = [], noAttach = [], exitCodeFrom = [] } = flags;
    checkServices([...attach, ...noAttach].concat(exitCodeFrom), new Set(Object.keys(project.services)));
    const isDetached = flags.detach || flags.wait || !flags.start;
    const engine = await context.engine();
    const startedAt = new Date().toISOString();
    const options: ReconcileOptions = given({
      action: 'up' as const,
      services,
      noDeps: !flags.deps,
      noStart: !flags.start,
      noRecreate: !flags.recreate,
      forceRecreate: flags.forceRecreate,
      alwaysRecreateDeps: flags.alwaysRecreateDeps,
      removeOrphans: removesOrphans(flags, context),
      renewAnonVolumes: flags.renewAnonVolumes,
      scale: flags.scale,
      pull: flags.pull,
      build: flags.build === true,
      noBuild: flags.build === false,
      timeoutMs: flags.timeout,
      wait: flags.wait,
      disabledServices: Object.keys(disabled),
    });
    const how = { command: 'stack up', waitTimeoutMs: flags.waitTimeout };
    const applied = await apply(context, engine, project, options, how, show);
    if (isDetached) return 0;
    const { foreground } = await import('./foreground.ts');
    return foreground(context, engine, project, applied, { services, flags, startedAt });
  },
});

function checkCombination(flags: UpFlags): void {
  const conflict = (a: string, b: string): never => {
    throw new StackError('usage', { message: `${a} and ${b} cannot be given together.` });
  };
  const isAborting = flags.abortOnContainerExit || flags.exitCodeFrom !== undefined;
  if (flags.forceRecreate && !flags.recreate) conflict('--force-recreate', '--no-recreate');
  if (flags.detach && isAborting) conflict('--detach', '--abort-on-container-exit');
  if (flags.wait && isAborting) conflict('--wait', '--abort-on-container-exit');
  if (flags.alwaysRecreateDeps && !flags.recreate) conflict('--always-recreate-deps', '--no-recreate');
}

export function scale(value: string, previous: Record<string, number> | undefined): Record<string, number> {
  const parts = /^([^=]+)=(\d+)$/.exec(value);
  if (!parts) throw new InvalidArgumentError('It must be SERVICE=NUMBER.');
  return { ...previous, [parts[1] as string]: Number(parts[2]) };
}
