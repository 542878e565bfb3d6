/** What the engine is handed besides what the file says: paths it can open, and links as names. `stack config` shows what was written. */
import { posix } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import type { Project, Service } from '../../schemas/project.ts';

/**
 * @param directory of the stack file, absolute.
 * @param environment what the variables that secrets and configs name are looked up in.
 * @throws config.value for links that would give two services one name.
 */
export function completed(given: Project, directory: string, environment: Record<string, string> = {}): Project {
  const project = withContents(given, environment);
  const names = Object.entries(project.services).map(
    ([name, service]) => [name, withProfilePath(service, directory)] as const,
  );
  const services = Object.fromEntries(names);
  for (const [name, service] of Object.entries(services)) addLinks(name, service, services);
  return { ...project, services };
}

/** The content of what comes from the environment. */
function withContents(project: Project, environment: Record<string, string>): Project {
  const found = { ...project };
  for (const kind of ['secrets', 'configs'] as const) {
    const all = Object.entries(project[kind] ?? {}).map(([key, one]) => {
      const content = one.environment === undefined ? undefined : environment[one.environment];
      return [key, content === undefined ? one : { ...one, content }] as const;
    });
    if (all.length > 0) found[kind] = Object.fromEntries(all);
  }
  return found;
}

/** `seccomp=FILE` is relative to the stack file. */
function withProfilePath(service: Service, directory: string): Service {
  if (!service.security_opt) return service;
  const security_opt = service.security_opt.map((option) => {
    const [, head, file] = /^(seccomp[=:])(.+)$/s.exec(option) ?? [];
    const isFile = file !== undefined && file !== 'unconfined' && file !== 'builtin';
    return isFile ? head + posix.resolve(directory, file) : option;
  });
  return { ...service, security_opt };
}

/**
 * `links: [db:database]`: every container of a network they share finds `db` by `database` too. Docker tells the one
 * container alone; there is one table of names for a network.
 */
function addLinks(name: string, service: Service, services: Record<string, Service>): void {
  for (const link of service.links ?? []) {
    const [to = '', alias = to] = link.split(':');
    const target = services[to];
    if (!target || alias === to) continue;
    const shared = Object.keys(service.networks ?? {}).filter((key) => target.networks && key in target.networks);
    refuseTaken(name, link, alias, services, shared);
    const networks = { ...target.networks };
    for (const key of shared) {
      const aliases = networks[key]?.aliases ?? [];
      networks[key] = { ...networks[key], aliases: [...new Set([...aliases, alias])] };
    }
    services[to] = { ...target, networks };
  }
}

function refuseTaken(name: string, link: string, alias: string, services: Record<string, Service>, shared: string[]) {
  const [to] = link.split(':');
  const other = Object.entries(services).find(
    ([key, { networks = {} }]) =>
      key !== to && shared.some((one) => one in networks && (key === alias || networks[one]?.aliases?.includes(alias))),
  );
  if (!other) return;
  const resource = `services.${name}.links`;
  throw new StackError('config.value', {
    message: `${resource}: "${link}": ${alias} already stands for ${other[0]} on the network they share`,
    hint: 'Choose another alias: a name of a network is known to all of its containers.',
    resource,
  });
}
