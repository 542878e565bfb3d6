/** The flags that decide what `up` does with the machine, and so what `plan` prints: one list for both. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { isTrue } from '../planner/load/discover.ts';
import type { ReconcileOptions } from '../planner/reconcile/options.ts';
import { StackError } from '../schemas/errors.ts';
import { given, timeoutMs } from './apply.ts';
import { collect } from './command.ts';
import { removesOrphans } from './orphans.ts';

/** Two of docker compose's that its help does not name are last. */
const pullPolicies = ['always', 'missing', 'never', 'if_not_present', 'build'] as const;

export interface PlanFlags {
  /** Commander's negated flags: false where given. */
  recreate: boolean;
  deps: boolean;
  start: boolean;
  forceRecreate?: boolean;
  alwaysRecreateDeps?: boolean;
  removeOrphans?: boolean;
  renewAnonVolumes?: boolean;
  recreateVolume?: string[];
  scale?: Record<string, number>;
  pull?: (typeof pullPolicies)[number];
  /** `--build`, `--no-build`; neither is undefined. */
  build?: boolean;
  timeout?: number;
  wait?: boolean;
  frozen?: boolean;
}

export function planOptions(command: Command): Command {
  return command
    .option('--wait', 'return once every service runs, or is healthy where it has a health check')
    .option('--force-recreate', 'recreate containers though nothing changed')
    .option('--always-recreate-deps', 'recreate what the services named need, though nothing changed')
    .option('--no-recreate', 'leave containers that exist as they are')
    .option('--no-deps', 'only the services named, without what they need')
    .option('--no-start', 'create everything and start nothing')
    .option('--remove-orphans', 'remove containers of services that the stack file no longer has')
    .option('-V, --renew-anon-volumes', 'recreate containers, with new anonymous volumes')
    .option(
      '--recreate-volume <volume>',
      'delete this volume with everything in it where its definition changed, and make it anew (repeatable)',
      collect,
    )
    .option('--scale <service=number>', 'number of containers of a service (repeatable)', scale)
    .addOption(new Option('--pull <policy>', 'when to pull images').choices(pullPolicies))
    .option('--build', 'build the images of services that have `build`, though they are there')
    .option('--no-build', 'build nothing: an image that is not there is an error')
    .option('--frozen', 'take every image by the digest in stack.lock; fail where that does not fit the stack file')
    .option('-t, --timeout <seconds>', 'time containers have to stop before they are killed', timeoutMs);
}

/** `disabled`: services that are off by profile. Of two flags for one thing and the environment the flag counts. */
export function reconcileOptions(
  services: string[],
  disabled: object,
  flags: PlanFlags,
  environment: NodeJS.ProcessEnv,
): ReconcileOptions {
  const { pull } = flags;
  return given({
    action: 'up' as const,
    services,
    noDeps: !flags.deps,
    noStart: !flags.start,
    noRecreate: !flags.recreate,
    forceRecreate: flags.forceRecreate,
    alwaysRecreateDeps: flags.alwaysRecreateDeps,
    removeOrphans: removesOrphans(flags, { environment }),
    ignoreOrphans: isTrue(environment.COMPOSE_IGNORE_ORPHANS) || undefined,
    renewAnonVolumes: flags.renewAnonVolumes,
    recreateVolumes: flags.recreateVolume,
    scale: flags.scale,
    pull: pull === 'if_not_present' || pull === 'build' ? ('missing' as const) : pull,
    build: flags.build === true || pull === 'build',
    noBuild: flags.build === false,
    timeoutMs: flags.timeout,
    wait: flags.wait,
    disabledServices: Object.keys(disabled),
  });
}

/** @throws StackError usage for two flags that contradict each other, as docker compose has it */
export function checkPlanFlags(flags: PlanFlags): void {
  if (flags.forceRecreate && !flags.recreate) conflict('--force-recreate', '--no-recreate');
  if (flags.alwaysRecreateDeps && !flags.recreate) conflict('--always-recreate-deps', '--no-recreate');
  if (flags.renewAnonVolumes && !flags.recreate) conflict('--renew-anon-volumes', '--no-recreate');
  if (flags.recreateVolume && !flags.recreate) conflict('--recreate-volume', '--no-recreate');
  if (flags.frozen && flags.pull === 'always') conflict('--frozen', '--pull always');
}

export function conflict(a: string, b: string): never {
  throw new StackError('usage', { message: `${a} and ${b} cannot be given together.` });
}

export function scale(value: string, previous: Record<string, number> | undefined): Record<string, number> {
  const parts = /^([^=]+)=(\d+)$/.exec(value);
  if (!parts) throw new InvalidArgumentError('It must be SERVICE=NUMBER.');
  return { ...previous, [parts[1] as string]: Number(parts[2]) };
}
