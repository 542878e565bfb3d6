/**
 * Services that somebody else provides (`provider`): brought up before any container, since what they say becomes variables of
 * the services that depend on them. What they said is kept, so that `plan` knows it and `down` finds them again.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { graph, withDependencies } from '../../planner/graph.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Emit, ToldOperation } from '../../schemas/events.ts';
import type { Project, Service } from '../../schemas/project.ts';
import type { Host } from '../host.ts';
import { providerArguments, providerCommand, type Verb } from './command.ts';
import { readMetadata, runProvider, type Said } from './run.ts';

type Provider = NonNullable<Service['provider']>;
/** By service. */
type Memory = Record<string, Said & { provider: Provider }>;

interface Wanted {
  services?: string[] | undefined;
  noDeps?: boolean | undefined;
}

interface Run {
  emit: Emit;
  signal?: AbortSignal | undefined;
}

function load(host: Host, stack: string): Memory {
  try {
    return JSON.parse(readFileSync(host.layout.providers(stack), 'utf8')) as Memory;
  } catch {
    return {};
  }
}

function save(host: Host, stack: string, memory: Memory): void {
  const path = host.layout.providers(stack);
  if (Object.keys(memory).length === 0) {
    rmSync(path, { force: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Values may be secrets.
  writeFileSync(`${path}.new`, JSON.stringify(memory), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The project with the variables that providers gave when they were last brought up. */
export const withRemembered = (host: Host, project: Project): Project => inject(project, load(host, project.name));

/** Those of the services named and, but for `noDeps`, of what they need; all where none is named. In their order. */
function wanted(project: Project, { services = [], noDeps = false }: Wanted): [string, Provider][] {
  const built = graph(project);
  const isWanted = services.length === 0 ? undefined : noDeps ? new Set(services) : withDependencies(built, services);
  return built.order.flatMap((service) => {
    const { provider } = project.services[service]!;
    return provider && (isWanted?.has(service) ?? true) ? [[service, provider] as [string, Provider]] : [];
  });
}

/**
 * Brings up the providers of what is wanted.
 * @returns the project with their variables. @throws runtime.provider, config.undefined-reference
 */
export async function providersUp(host: Host, project: Project, what: Wanted, run: Run): Promise<Project> {
  const memory = load(host, project.name);
  for (const [service, provider] of wanted(project, what)) {
    const { depends_on = {} } = project.services[service]!;
    const container = Object.keys(depends_on).find((to) => project.services[to] && !project.services[to].provider);
    if (container) throw tooEarly(service, container);
    memory[service] = { provider, ...(await tell(project.name, service, provider, 'up', run)) };
    save(host, project.name, memory);
  }
  return inject(project, memory, run);
}

/** A one-off's configuration with what its service was given; variables of the command line stay. */
export function withGiven(config: Service, before: Service | undefined, after: Service | undefined): Service {
  const given = Object.entries(after?.environment ?? {}).filter(
    ([key, value]) => before?.environment?.[key] !== value && config.environment?.[key] === before?.environment?.[key],
  );
  return given.length === 0
    ? config
    : { ...config, environment: { ...config.environment, ...Object.fromEntries(given) } };
}

/** Those of the services named, dependents first: of the stack file, and those that were brought up and are gone from it. */
function ending(project: Project, memory: Memory, named: string[]): [string, Provider][] {
  const known = new Map([
    ...Object.entries(memory).map(([service, { provider }]) => [service, provider] as const),
    ...wanted(project, {}),
  ]);
  return [...known].reverse().filter(([service]) => named.length === 0 || named.includes(service));
}

/** What `--dry-run` tells of them. */
export function providerOperations(host: Host, project: Project, verb: Verb, what: Wanted): ToldOperation[] {
  const isUp = verb === 'up';
  const all = isUp ? wanted(project, what) : ending(project, load(host, project.name), what.services ?? []);
  const cause = isUp ? 'it is asked at every up' : `stack ${verb}`;
  return all.map(([service]) => ({ ...operationOf(verb, service), cause }));
}

const operationOf = (verb: Verb, service: string) => ({
  id: `${verb} provider ${service}`,
  kind: `provider.${verb}` as const,
  resource: `provider ${service}`,
});

/** Releases (`down`) or pauses (`stop`) them, dependents first. Every one is tried. @throws the first failure, the others in `also` */
export async function providersEnd(host: Host, project: Project, verb: 'down' | 'stop', named: string[], run: Run) {
  const memory = load(host, project.name);
  const errors: StackError[] = [];
  for (const [service, provider] of ending(project, memory, named)) {
    try {
      await tell(project.name, service, provider, verb, run);
      if (verb === 'down') delete memory[service];
    } catch (thrown) {
      if (run.signal?.aborted) throw thrown;
      errors.push(asStackError(thrown));
    }
  }
  if (verb === 'down') save(host, project.name, memory);
  const [first, ...rest] = errors;
  if (!first) return;
  first.also.push(...rest);
  throw first;
}

async function tell(
  project: string,
  service: string,
  { type, options = {} }: Provider,
  verb: Verb,
  { emit, signal }: Run,
): Promise<Said> {
  const environment = process.env;
  const path = providerCommand(type, service, environment);
  const metadata = await readMetadata(path, environment);
  // A provider that does not say that it can pause is left as it is.
  if (verb === 'stop' && !metadata?.stop) return { prefixed: {}, raw: {} };
  const args = providerArguments(verb, { project, service, options: options as Record<string, string> }, metadata);
  const { id, kind, resource } = operationOf(verb, service);
  const began = performance.now();
  const ms = () => Math.round(performance.now() - began);
  emit({ type: 'started', id, kind, resource });
  try {
    const said = await runProvider(path, args, {
      service,
      verb,
      environment,
      signal,
      onInfo: (detail) => emit({ type: 'progress', id, resource, detail }),
      onDebug: () => {},
    });
    emit({ type: 'done', id, kind, resource, ms: ms() });
    return said;
  } catch (thrown) {
    emit({ type: 'failed', id, kind, resource, ms: ms(), error: asStackError(thrown) });
    throw thrown;
  }
}

/** Variables for the services that depend on a provider: with its name in front, or as they are, over the service's own. */
function inject(project: Project, memory: Memory, run?: Run): Project {
  const services = Object.entries(project.services).map(([name, service]) => {
    const environment = { ...service.environment };
    let isChanged = false;
    for (const to of Object.keys(service.depends_on ?? {})) {
      const said = project.services[to]?.provider ? memory[to] : undefined;
      const raw = Object.entries(said?.raw ?? {});
      const prefixed = Object.entries(said?.prefixed ?? {}).map(([key, value]) => [
        `${to.toUpperCase()}_${key}`,
        value,
      ]);
      for (const [key, value] of [...prefixed, ...raw] as [string, string][]) {
        const own = environment[key];
        if (run && own !== undefined && own !== value && said!.raw[key] === value)
          warnOverride(run.emit, to, name, key);
        environment[key] = value;
        isChanged = true;
      }
    }
    return [name, isChanged ? { ...service, environment } : service] as const;
  });
  return { ...project, services: Object.fromEntries(services) };
}

function warnOverride(emit: Emit, provider: string, service: string, key: string): void {
  const resource = `services.${service}.environment.${key}`;
  const message = `${resource}: the provider of ${provider} gives it another value, which is used.`;
  emit({ type: 'warning', error: new StackError('config.surprise', { message, resource }) });
}

const tooEarly = (service: string, container: string) =>
  new StackError('config.not-supported', {
    message: `services.${service}.depends_on.${container}: providers are brought up before any container`,
    hint: `Remove the dependency, or bring ${container} up first and say where it is in the provider's options.`,
    resource: `services.${service}.depends_on.${container}`,
  });
