/** The operations that bring containers to their fates, and what each of them waits for. */
import type { AwaitedCondition, Rolling } from '../../schemas/plan.ts';
import type { Builder } from './builder.ts';
import type { Scope } from './fates.ts';
import type { Instance } from './instances.ts';
import { batchesOf, rollingOf } from './rolling.ts';

/** The operations on containers: each waits for its own parts; only starts wait for other services. */
export class Steps {
  private readonly scope: Scope;
  private readonly plan: Builder;
  private readonly fates: Map<string, Instance[]>;
  private readonly waits = new Map<string, string[]>();
  private readonly starts = new Map<Instance, string>();
  private readonly creates = new Map<Instance, string>();
  /** Removals of what still has a name that is to be given again. */
  private readonly freed = new Map<string, string[]>();
  /** Services whose containers are replaced in batches, by what was read of their update_config. */
  private readonly rolled = new Map<string, Rolling | undefined>();
  private readonly warnings: string[];

  constructor(scope: Scope, plan: Builder, fates: Map<string, Instance[]>, warnings: string[] = []) {
    this.scope = scope;
    this.warnings = warnings;
    this.plan = plan;
    this.fates = fates;
    for (const { fate, current, cause } of [...fates.values()].flat()) {
      if (fate !== 'remove') continue;
      const stop = plan.stop(current!, cause);
      const { name } = current!.record;
      const removal = plan.remove(current!.record, cause, stop ? [stop] : []);
      this.freed.set(name, [...(this.freed.get(name) ?? []), removal]);
    }
  }

  /** Instances have to come in dependency order of their services. */
  add(instance: Instance, needs: string[]): void {
    const { current, cause, name, fate } = instance;
    const { plan } = this;
    switch (fate) {
      case 'keep':
      case 'done':
      case 'remove':
        return;
      case 'create':
        this.start(instance, [this.create(instance, needs)]);
        return;
      case 'start':
        this.start(instance, needs);
        return;
      case 'restart':
        this.start(instance, [plan.stop(current!, cause)!, ...needs]);
        return;
      case 'recreate': {
        if (this.roll(instance.service, needs)) return;
        const stop = plan.stop(current!, cause);
        if (instance.isRemovedFirst) {
          this.start(instance, [this.create(instance, [plan.removalOf(current!.record)!, ...needs])]);
          return;
        }
        const create = this.create(instance, [...(stop ? [stop] : []), ...needs]);
        const start = this.start(instance, [create]);
        // The old one goes when the new one runs: until then a failure can go back to it, and a command that is killed
        // leaves both, of which the newer one has been handed what the older one had.
        plan.remove(current!.record, `${name} takes its place`, [start ?? create], this.isRenewed);
        return;
      }
    }
  }

  /** Replaces all containers of the service that are to be, in batches, with its first one. False: not in batches. */
  private roll(service: string, needs: string[]): boolean {
    if (this.rolled.has(service)) return this.rolled.get(service) !== undefined;
    const instances = this.fates.get(service)!;
    const replaced = instances.filter(({ fate }) => fate === 'recreate');
    const rolling = rollingOf(this.scope, service, instances, this.warnings);
    this.rolled.set(service, rolling);
    if (!rolling) return false;
    const { plan } = this;
    const { order, parallelism, failureAction } = rolling.update;
    const batches = batchesOf(replaced, parallelism);
    const leaving: { instance: Instance; needs: string[] }[] = [];
    let monitor: string | undefined;
    for (const [index, instances] of batches.entries()) {
      const turn = [...needs, ...(monitor ? [monitor] : [])];
      const starts = instances.flatMap((instance) => {
        // Not stopped for a successor that would have to wait for others.
        const before = [...turn, ...this.dependencyWaits(service)];
        const stop = order === 'stop-first' ? plan.stop(instance.current!, instance.cause, before) : undefined;
        const create = this.create(instance, [...turn, ...(stop ? [stop] : [])], order === 'start-first');
        return this.start(instance, [create]) ?? [];
      });
      const cause = order === 'start-first' ? 'the old ones stay until it holds' : 'the next ones wait until it holds';
      const containers = instances.map(({ name }) => name);
      const counts = { batch: index + 1, batches: batches.length, replaced: replaced.length };
      const held = plan.add({ kind: 'update.monitor', service, containers, ...counts, rolling, cause, needs: starts });
      for (const instance of instances) {
        const why = `${instance.name} takes its place`;
        const stop = order === 'start-first' ? plan.stop(instance.current!, why, [held]) : undefined;
        leaving.push({ instance, needs: [stop ?? held] });
      }
      monitor = held;
    }
    for (const { instance, needs: before } of leaving) {
      // What a rollback goes back to stays until there can be none any more.
      const last = failureAction === 'rollback' ? [...before, monitor!] : before;
      plan.remove(instance.current!.record, `${instance.name} takes its place`, last, this.isRenewed);
    }
    return true;
  }

  /** Made beside the others; whoever attaches to it starts it. */
  addOneOff({ name, service, number, config, cause }: Instance, needs: string[]): void {
    const joins = this.namespaceOf(service);
    const operation = { kind: 'container.create' as const, name, service, number, config, isOneOff: true };
    this.plan.add({ ...operation, cause, needs: [...needs, ...joins] });
    this.dependencyWaits(service);
  }

  /** `up --wait`: the plan ends when what it manages is up. */
  addWait(service: string): void {
    const instances = this.instances(service);
    if (instances.length === 0) return;
    const isJob = this.scope.graph.dependents
      .get(service)!
      .some((name) => this.dependency(name, service)?.condition === 'service_completed_successfully');
    this.await(service, isJob ? 'service_completed_successfully' : 'service_running_or_healthy', true, '--wait');
  }

  private get isRenewed(): boolean {
    return this.scope.options.renewAnonVolumes === true;
  }

  private create(instance: Instance, needs: string[], isBeside = false): string {
    const { name, service, number, config, fate, current, cause } = instance;
    const id = this.plan.add({
      kind: 'container.create',
      name,
      service,
      number,
      config,
      ...(fate === 'recreate' ? { replaces: current!.record } : {}),
      ...(isBeside ? { isBeside } : {}),
      ...(this.isRenewed ? { renewAnonymousVolumes: true } : {}),
      cause,
      needs: [...(this.freed.get(name) ?? []), ...needs, ...this.namespaceOf(service)],
    });
    this.creates.set(instance, id);
    return id;
  }

  /** A container that joins another's namespaces, or mounts its volumes, is made when that one is there. */
  private namespaceOf(service: string): string[] {
    return this.scope.graph.dependencies
      .get(service)!
      .filter(({ sharesNamespace, shares }) => sharesNamespace || shares.length > 0)
      .flatMap(({ to }) => this.instances(to))
      .flatMap((instance) => this.creates.get(instance) ?? this.starts.get(instance) ?? []);
  }

  private start(instance: Instance, needs: string[]): string | undefined {
    if (this.scope.options.noStart) return undefined;
    const { name, service, cause } = instance;
    const after = this.dependencyWaits(service);
    const id = this.plan.add({ kind: 'container.start', name, cause, needs: [...needs, ...after] });
    this.starts.set(instance, id);
    return id;
  }

  /** What a start of the service waits for, the same for all of its containers. */
  private dependencyWaits(service: string): string[] {
    let waits = this.waits.get(service);
    if (waits) return waits;
    waits = [];
    for (const edge of this.scope.graph.dependencies.get(service)!) {
      if (!this.fates.has(edge.to)) continue;
      if (edge.condition === 'service_started') waits.push(...this.startsOf(edge.to));
      else {
        const awaited = this.await(edge.to, edge.condition, edge.required, `${service} depends on it`);
        if (awaited) waits.push(awaited);
      }
    }
    this.waits.set(service, waits);
    return waits;
  }

  private startsOf(service: string): string[] {
    return this.instances(service).flatMap((instance) => this.starts.get(instance) ?? []);
  }

  private instances(service: string): Instance[] {
    return this.fates.get(service)?.filter(({ fate }) => fate !== 'remove') ?? [];
  }

  private dependency(service: string, to: string) {
    return this.scope.project.services[service]!.depends_on?.[to];
  }

  private await(service: string, condition: AwaitedCondition, isRequired: boolean, cause: string): string | undefined {
    const instances = this.instances(service);
    if (instances.every((instance) => !this.starts.has(instance) && isMet(instance, condition))) return undefined;
    return this.plan.add({
      kind: 'dependency.await',
      service,
      containers: instances.map(({ name }) => name),
      condition,
      isRequired,
      cause,
      needs: this.startsOf(service),
    });
  }
}

function isMet({ current }: Instance, condition: AwaitedCondition): boolean {
  if (!current) return false;
  const { state, health, exitCode } = current.status;
  if (condition === 'service_completed_successfully') return state === 'exited' && exitCode === 0;
  if (condition === 'service_running_or_healthy' && !current.record.hasHealthcheck) return state === 'running';
  return state === 'running' && health === 'healthy';
}
