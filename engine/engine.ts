/** The engine as commands and the testing API see it: observe, plan, apply, and the rooms behind them. */
import type { OneOff, ReconcileOptions } from '../planner/reconcile/options.ts';
import type { ContainerRecord, NetworkRecord } from '../schemas/container.ts';
import type { Emit } from '../schemas/events.ts';
import type { Plan } from '../schemas/plan.ts';
import type { Project } from '../schemas/project.ts';
import type { Snapshot } from '../schemas/snapshot.ts';
import type { Containers } from './containers/containers.ts';
import type { Host } from './host.ts';

/** How a run reports, and how it is ended. */
export interface Run {
  emit: Emit;
  /** Aborted by SIGINT: nothing new begins, waits end at once, what was half made is undone; `plan.interrupted` is thrown. */
  signal?: AbortSignal;
  /** `--wait-timeout`: longest time a dependency or `--wait` is awaited, in milliseconds. */
  waitTimeoutMs?: number;
  /** What the command calls itself, for those who wait for its lock: `stack up`. */
  command?: string;
}

export interface Applied {
  plan: Plan;
  /** The stack's containers after the plan, in order of service and number. */
  containers: ContainerRecord[];
  networks: NetworkRecord[];
}

export interface Engine {
  readonly host: Host;
  /** Names of the stacks this machine has records of, sorted. */
  stacks(): string[];
  /**
   * What the machine has of a stack: a few milliseconds, no lock. With a project the images it names and the external
   * networks and volumes it uses are looked up too. Throws `state.damaged`.
   */
  observe(stack: string, project?: Project): Promise<Snapshot>;
  /** The project as the stack's records tell it, for commands without a stack file (`stack -p demo down`). */
  recorded(stack: string): Promise<Project>;
  plan(project: Project, options: ReconcileOptions): Promise<Plan>;
  /** Observe, reconcile and execute under the stack's lock. Throws a StackError that names what is left. */
  apply(project: Project, options: ReconcileOptions, run: Run): Promise<Applied>;
  /**
   * `stack run`: brings up what the service depends on and makes one more container of it, created and not started, so
   * that the caller attaches first. The caller starts, waits and removes.
   */
  createOneOff(project: Project, request: OneOff, run: Run): Promise<ContainerRecord>;
  /** Loaded on first use: `ps` never loads the registry client. */
  containers(): Promise<Containers>;
}
