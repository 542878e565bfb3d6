/**
 * `pre_start`: init containers, one after the other, before the first container of a service starts. Source: compose-spec
 * 05-services.md "pre_start".
 */
import type { ContainerRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { InitHook, Service } from '../../schemas/project.ts';
import { awaitCondition } from './condition.ts';
import type { Creation, Performing } from './perform.ts';

type Create = (run: Performing, operation: Creation) => Promise<ContainerRecord>;

const label = 'com.docker.compose.hook';

/** Resolves once every step has exited with 0, now or before this container's earlier start. @throws runtime.hook */
export async function runInitHooks(run: Performing, record: ContainerRecord, create: Create): Promise<void> {
  const hooks = record.config.pre_start ?? [];
  if (hooks.length === 0 || record.isOneOff) return;
  // In their order, whichever of the service's containers each is for.
  const together = hooks.filter(({ per_replica }) => !per_replica);
  const own = hooks.filter(({ per_replica }) => per_replica);
  if (together.length > 0) {
    await once(run, record.service, () => {
      return hasStarted(run, record) ? Promise.resolve() : steps(run, record, together, create);
    });
  }
  const isNew = run.effects.containers.status(record).startedAt === '';
  if (own.length > 0 && isNew) await steps(run, record, own, create);
}

function once(run: Performing, key: string, work: () => Promise<void>): Promise<void> {
  const known = run.hooks.get(key);
  if (known) return known;
  const started = work();
  run.hooks.set(key, started);
  return started;
}

/** A container of this definition has started before: its steps had succeeded then. Those that are replaced do not count. */
function hasStarted({ world, effects, plan }: Performing, { service }: ContainerRecord): boolean {
  const leaving = new Set(plan.operations.flatMap((one) => (one.kind === 'container.remove' ? [one.record.id] : [])));
  return [...world.containers.values()].some(
    (one) =>
      one.service === service &&
      !one.isOneOff &&
      !leaving.has(one.id) &&
      effects.containers.status(one).startedAt !== '',
  );
}

async function steps(run: Performing, record: ContainerRecord, hooks: InitHook[], create: Create): Promise<void> {
  await removeLeftovers(run, record);
  for (const [index, hook] of hooks.entries()) await step(run, record, index, hook, create);
}

/** Of a command that was killed meanwhile. */
async function removeLeftovers({ world, effects }: Performing, { service, name }: ContainerRecord): Promise<void> {
  const prefix = stepName(name, '');
  for (const one of [...world.containers.values()]) {
    if (one.service !== service || one.labels[label] !== 'pre_start' || !one.name.startsWith(prefix)) continue;
    await effects.containers.remove(one, { removeAnonymousVolumes: true });
    world.removeContainer(one);
  }
}

const stepName = (container: string, index: number | '') => `${container}-pre_start-${index}`;

async function step(
  run: Performing,
  record: ContainerRecord,
  index: number,
  hook: InitHook,
  create: Create,
): Promise<void> {
  const { effects, world, journal, signal } = run;
  const made = await create(run, {
    id: `init container ${stepName(record.name, index)}`,
    resource: `container ${record.name}`,
    cause: 'pre_start',
    needs: [],
    kind: 'container.create',
    name: stepName(record.name, index),
    service: record.service,
    number: 1,
    config: initService(record, hook),
    isOneOff: true,
  });
  const remove = async () => {
    await effects.containers.remove(made, { removeAnonymousVolumes: true });
    world.removeContainer(made);
    journal.created = journal.created.filter((one) => one.record.id !== made.id);
  };
  try {
    await effects.containers.start(made);
    await awaitCondition(effects.containers, made, 'service_completed_successfully', { signal });
  } catch (thrown) {
    const isInterrupted = signal.aborted && thrown === signal.reason;
    const error = isInterrupted ? thrown : failure(run, record, made, index, hook, thrown);
    // What is left is removed by the next attempt.
    await remove().catch(() => {});
    throw error;
  }
  await remove();
}

/** The service's image, networks, volumes and variables, and the command of the step. */
function initService({ config, name }: ContainerRecord, hook: InitHook): Service {
  const networks = Object.fromEntries(Object.keys(config.networks ?? {}).map((key) => [key, null]));
  const pick = <K extends keyof Service>(...keys: K[]) =>
    Object.fromEntries(keys.flatMap((key) => (config[key] === undefined ? [] : [[key, config[key]]]))) as Pick<
      Service,
      K
    >;
  return {
    command: hook.command ?? null,
    entrypoint: null,
    ...pick('image', 'platform', 'network_mode', 'extra_hosts', 'dns', 'dns_search', 'dns_opt'),
    ...(hook.image ? { image: hook.image } : pick('user', 'working_dir')),
    ...(hook.user === undefined ? {} : { user: hook.user }),
    ...(hook.working_dir === undefined ? {} : { working_dir: hook.working_dir }),
    ...(hook.privileged ? { privileged: true } : {}),
    ...(config.networks ? { networks } : {}),
    environment: { ...config.environment, ...hook.environment },
    volumes_from: [`container:${name}`],
    labels: { [label]: 'pre_start' },
  };
}

function failure(
  { effects }: Performing,
  { name, service }: ContainerRecord,
  made: ContainerRecord,
  index: number,
  { command }: InitHook,
  cause: unknown,
): StackError {
  const { exitCode } = effects.containers.status(made);
  const lines = effects.lastLines?.(made, 10) ?? [];
  const words = lines.length > 0 ? `:\n  ${lines.join('\n  ')}` : '';
  const why = exitCode === 0 && cause instanceof StackError ? `: ${cause.message}` : ` exited with ${exitCode}${words}`;
  return new StackError('runtime.hook', {
    message: `${name} is not started: step ${index + 1} of pre_start${command ? `, \`${command.join(' ')}\`,` : ''}${why}`,
    hint: `\`stack run --rm ${service} …\` runs a command in the same surroundings.`,
    resource: `services.${service}.pre_start`,
    cause,
  });
}
