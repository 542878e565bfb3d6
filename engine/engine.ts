/** The engine as commands and the testing API see it: observe, plan, apply, and the rooms behind them. */
import { existsSync, rmSync } from 'node:fs';
import { otherImages } from '../planner/images/others.ts';
import type { OneOff, ReconcileOptions } from '../planner/reconcile/options.ts';
import { type ContainerRecord, type NetworkRecord, noStack } from '../schemas/container.ts';
import { asStackError } from '../schemas/errors.ts';
import type { Emit } from '../schemas/events.ts';
import type { Plan } from '../schemas/plan.ts';
import type { Project, Service } from '../schemas/project.ts';
import type { ObservedContainer, Snapshot } from '../schemas/snapshot.ts';
import type { Containers } from './containers/containers.ts';
import type { Host } from './host.ts';
import type { Hold, Images } from './images/images.ts';
import type { Networks } from './network/network.ts';
import { loadRecords } from './network/records.ts';
import { observe, observeContainers, setDamagedAside } from './observe.ts';
import { createEffects, createRooms } from './rooms.ts';
import { entries } from './state/entries.ts';
import { lockIfFree, lockStack } from './state/lock.ts';

/** How a run reports, and how it is ended. */
export interface Run {
  emit: Emit;
  /** Aborted by SIGINT, SIGTERM and SIGHUP with `interruption`: nothing new begins, waits end at once, what was half made is undone; `plan.interrupted` is thrown. */
  signal?: AbortSignal;
  /** `--wait-timeout`: longest time a dependency or `--wait` is awaited, in milliseconds. */
  waitTimeoutMs?: number;
  /** `--parallel`: operations at once; absent or below 1: all that can. */
  parallel?: number;
  /** The plan is told by a `dry-run` event, without the stack's lock, and nothing is changed. */
  isDry?: boolean;
  /** What the command calls itself, for those who wait for its lock: `stack up`. */
  command?: string;
  /**
   * Looks at what is about to be done, under the lock, and throws where it must not be: `up --plan`. Called again with
   * `isAfterPulls` where images that are in use were pulled or built first, and the rest was planned anew.
   */
  inspect?: (found: Snapshot, plan: Plan, isAfterPulls: boolean) => void;
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
  /** Containers and their states only, without a lock or a question to the kernel's network: what `ps` shows. */
  observeContainers(stack: string): ObservedContainer[];
  /** The project as the stack's readable records tell it, for commands without a stack file (`stack -p demo down`). */
  recorded(stack: string): Promise<Project>;
  /** What apply would do. Left-overs are part of it unless a command is at work on the stack, whose work they may be. */
  plan(project: Project, options: ReconcileOptions): Promise<{ plan: Plan; snapshot: Snapshot }>;
  /** Observe, reconcile and execute under the stack's lock. Throws a StackError that names what is left. */
  apply(project: Project, options: ReconcileOptions, run: Run): Promise<Applied>;
  /**
   * `stack run`: brings up what the service depends on and makes one more container of it, created and not started, so
   * that the caller attaches first. The caller starts, waits and removes.
   */
  createOneOff(project: Project, request: OneOff, run: Run): Promise<ContainerRecord>;
  /** Loaded on first use: `ps` never loads the registry client. */
  containers(): Promise<Containers>;
  images(): Promise<Images>;
  networks(): Promise<Networks>;
}

const never = new AbortController().signal;

/** Puts the rooms together over a host. Cheap: nothing is read or loaded yet. */
export function createEngine(host: Host): Engine {
  const rooms = createRooms(host);

  async function look(stack: string, project?: Project, withStrays = false): Promise<Snapshot> {
    const images = project && Object.keys(project.services).length > 0 ? await rooms.images() : undefined;
    return observe({ host, stack, project, withStrays, ...(images ? { findImage: images.find } : {}) });
  }

  /** As look, and what has changed of images that are to be built again. */
  async function lookWithBuilds(project: Project, options: ReconcileOptions, withStrays: boolean, signal = never) {
    const found = await look(project.name, project, withStrays);
    const mayBuild = ({ build, pull_policy: policy }: Service) =>
      build && !options.noBuild && (options.build || policy === 'build');
    if (options.action !== 'up' || !Object.values(project.services).some(mayBuild)) return found;
    const { observeBuilds } = await import('./build/observe.ts');
    return { ...found, builds: await observeBuilds(rooms, project, options, found.images, signal) };
  }

  /**
   * Plans, under the caller's lock, and carries it out. Where the image of a container that exists is asked for anew, images come
   * first: what they are decides what becomes of it.
   */
  async function carryOut(
    project: Project,
    run: Run,
    options: ReconcileOptions,
    make: (snapshot: Snapshot, pulled: string[]) => Promise<Plan>,
  ): Promise<Applied> {
    const { action } = options;
    const { emit, signal, waitTimeoutMs, parallel, inspect } = run;
    if (action === 'down') for (const error of setDamagedAside(host, project.name)) emit({ type: 'warning', error });
    const { execute } = await import('./execute/execute.ts');
    // From the look at the images on: nobody removes one before the container that it is meant for is written down.
    using hold = (await rooms.images()).hold();
    // Only where containers may be made: a full disk, which takes no lease, must not keep anything from being stopped.
    if (action === 'up') await keepImages(project, hold);
    const effects = () => createEffects(host, rooms, hold);
    let snapshot = await lookWithBuilds(project, options, true, signal);
    let plan = await make(snapshot, []);
    inspect?.(snapshot, plan, false);
    const pulls = plan.operations.filter((one) => one.kind === 'image.pull' || one.kind === 'image.build');
    const inUse = new Set(snapshot.containers.map(({ record }) => record.image.name));
    const isAnew = (one: (typeof pulls)[number]) => one.kind === 'image.build' || one.policy === 'always';
    if (pulls.some((one) => isAnew(one) && inUse.has(one.image))) {
      const first = { ...plan, operations: pulls, warnings: [] };
      await execute({ plan: first, project, snapshot, effects, emit, signal, parallel });
      snapshot = await look(project.name, project, true);
      plan = await make(
        snapshot,
        pulls.map(({ image }) => image),
      );
      inspect?.(snapshot, plan, true);
    }
    const outcome = await execute({ plan, project, snapshot, effects, emit, signal, waitTimeoutMs, parallel });
    // A command that was killed between a container's last file and its stack's directory left that to this one.
    if (outcome.containers.length === 0) (await import('./containers/tidy.ts')).tidyStack(host, project.name);
    return { plan, ...outcome };
  }

  const providers = () => import('./providers/providers.ts');

  /** With the variables of the services that others provide, which are brought up first. */
  const provided = async (project: Project, what: Pick<ReconcileOptions, 'services' | 'noDeps'>, run: Run) =>
    hasProviders(project) ? (await providers()).providersUp(host, project, what, run) : project;

  const locked = (project: Project, { command = 'stack', emit, signal }: Run) =>
    lockStack(host, { stack: project.name, command, emit, signal });

  /** Plans with what providers said when they were last brought up, and asks none. */
  async function planned(project: Project, options: ReconcileOptions, withStrays: boolean, signal?: AbortSignal) {
    const { reconcile } = await import('../planner/reconcile/reconcile.ts');
    const known = hasProviders(project) ? (await providers()).withRemembered(host, project) : project;
    const snapshot = await lookWithBuilds(known, options, withStrays, signal);
    return { plan: reconcile(known, snapshot, options), snapshot };
  }

  const mayHaveProviders = (project: Project) =>
    hasProviders(project) || existsSync(host.layout.providers(project.name));

  async function tellOnly(project: Project, options: ReconcileOptions, { emit, inspect }: Run): Promise<Applied> {
    const { action } = options;
    using free = lockIfFree(host, project.name);
    const { plan, snapshot } = await planned(project, options, free !== undefined);
    inspect?.(snapshot, plan, false);
    const isTold = action !== 'start' && action !== 'restart' && mayHaveProviders(project);
    const besides = isTold ? (await providers()).providerOperations(host, project, action, options) : [];
    (await import('./dry-run.ts')).tellPlan(plan, besides, emit);
    const containers = snapshot.containers.map(({ record }) => record);
    return { plan, containers, networks: snapshot.networks.map(({ record }) => record) };
  }

  return {
    host,
    stacks: () => stackNames(host),
    observe: (stack, project) => look(stack, project),
    observeContainers: (stack) => observeContainers(host, stack),
    async recorded(stack) {
      const found = await observe({ host, stack, damaged: 'leave out' });
      return (await import('./recorded.ts')).recordedProject(found);
    },
    async plan(project, options) {
      using free = lockIfFree(host, project.name);
      return await planned(project, options, free !== undefined);
    },
    async apply(project, options, run) {
      if (run.isDry) return tellOnly(project, options, run);
      const { reconcile } = await import('../planner/reconcile/reconcile.ts');
      const { action, services = [] } = options;
      using _lock = await locked(project, run);
      if (action === 'up' && run.inspect && hasProviders(project)) {
        const { plan, snapshot } = await planned(project, options, true, run.signal);
        run.inspect(snapshot, plan, false);
      }
      const whole = action === 'up' ? await provided(project, options, run) : project;
      const applied = await carryOut(whole, run, options, async (found, pulled) =>
        reconcile(whole, found, { ...options, pulled }),
      );
      if (action === 'down' && options.removeVolumes && !options.containersOnly && services.length === 0) {
        rmSync(host.layout.watchDir(project.name), { recursive: true, force: true });
      }
      const ends = (action === 'down' && !options.containersOnly) || action === 'stop' ? action : undefined;
      if (ends && mayHaveProviders(project)) {
        await (await providers()).providersEnd(host, project, ends, services, run);
      }
      return applied;
    },
    async createOneOff(project, request, run) {
      const { reconcileOneOff } = await import('../planner/reconcile/reconcile.ts');
      const { service, noDeps, disabledServices } = request;
      using _lock = await locked(project, run);
      const whole = await provided(project, { services: [service], ...(noDeps ? { noDeps } : {}) }, run);
      const config =
        whole === project
          ? request.config
          : (await providers()).withGiven(request.config, project.services[service], whole.services[service]);
      const oneOff = {
        services: [service],
        ...(noDeps ? { noDeps } : {}),
        ...(disabledServices ? { disabledServices } : {}),
      };
      const { containers } = await carryOut(whole, run, { ...oneOff, action: 'up' }, async (found, pulled) =>
        reconcileOneOff(whole, found, { ...request, config, pulled }),
      );
      return containers.find(({ name }) => name === request.name)!;
    },
    containers: rooms.containers,
    images: rooms.images,
    networks: rooms.networks,
  };
}

const hasProviders = ({ services }: Project): boolean =>
  Object.values(services).some(({ provider }) => provider !== undefined);

/** Those that are missing are pulled later, or told to be missing. */
async function keepImages(project: Project, hold: Hold): Promise<void> {
  for (const service of Object.values(project.services)) {
    for (const image of [service.image, ...otherImages(service)]) {
      if (!image) continue;
      try {
        await hold.use(image, service.platform);
      } catch (error) {
        if (asStackError(error).code !== 'image.not-found') throw error;
      }
    }
  }
}

function stackNames({ layout }: Host): string[] {
  const withContainers = entries(layout.stacks).filter((name) => entries(layout.stackDir(name)).length > 0);
  return [...new Set([...withContainers, ...loadRecords(layout).map(({ stack }) => stack)])]
    .filter((name) => name !== noStack)
    .sort();
}
