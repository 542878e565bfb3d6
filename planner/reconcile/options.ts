/** What a command asks of reconcile: the action and its flags. Names follow docker compose's flags. */
import type { Plan } from '../../schemas/plan.ts';
import type { Service } from '../../schemas/project.ts';

export type Action = Plan['action'];

export type PullPolicy = 'missing' | 'always' | 'never';

export interface ReconcileOptions {
  action: Action;
  /** Services named on the command line; absent or empty: all. */
  services?: string[];
  /** `--no-deps`: the services named, without what they depend on. */
  noDeps?: boolean;
  /** `--force-recreate`: recreate the services named (all where none is) though nothing changed. */
  forceRecreate?: boolean;
  /** `--always-recreate-deps`: what the services named depend on is recreated though nothing changed. */
  alwaysRecreateDeps?: boolean;
  /** `--no-recreate`: containers that differ from the stack file are left as they are. */
  noRecreate?: boolean;
  removeOrphans?: boolean;
  /** COMPOSE_IGNORE_ORPHANS: they are not told of. */
  ignoreOrphans?: boolean;
  /** `--recreate-volume`: keys of volumes that may be deleted, with their data, where their definition changed. */
  recreateVolumes?: string[];
  /** `--scale web=3`. */
  scale?: Record<string, number>;
  /** `--pull`: overrides every service's pull_policy. */
  pull?: PullPolicy;
  /** Images that were just pulled or built: what asked for it is satisfied. */
  pulled?: string[];
  /** `--build`: images of services that have `build` are built, though they are there. */
  build?: boolean;
  /** `--no-build`: an image that is not there is an error. */
  noBuild?: boolean;
  /** `rm`: of `down` only the containers; those that do not run, or all once they are stopped. */
  containersOnly?: 'stopped' | 'all';
  /** `down --volumes`: named volumes of the stack and anonymous ones. Never external ones. */
  removeVolumes?: boolean;
  /** `--timeout`: before SIGKILL, in milliseconds; absent: each container's own stop_grace_period. */
  timeoutMs?: number;
  /** `--no-start`: everything up to the created state. */
  noStart?: boolean;
  /** `--renew-anon-volumes`: the services named are recreated, and every replacement gets new anonymous volumes. */
  renewAnonVolumes?: boolean;
  /** `--wait`: ends once every container runs, or is healthy where it has a health check. */
  wait?: boolean;
  /** Services the stack file has and no active profile enables: their containers are no orphans. */
  disabledServices?: string[];
}

/** `stack run`: one container of a service, beside those of `up`. */
export interface OneOff {
  service: string;
  /** The service's configuration with the command line's overrides. */
  config: Service;
  name: string;
  noDeps?: boolean;
  pull?: PullPolicy;
  pulled?: string[];
  build?: boolean;
  removeOrphans?: boolean;
  disabledServices?: string[];
}
