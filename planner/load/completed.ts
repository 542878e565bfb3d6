/** What the engine is handed besides what the file says: paths it can open, and contents it cannot look up. `stack config` shows what was written. */
import { posix } from 'node:path';
import type { Project, Service } from '../../schemas/project.ts';

/**
 * @param directory of the stack file, absolute.
 * @param environment what the variables that secrets and configs name are looked up in.
 */
export function completed(given: Project, directory: string, environment: Record<string, string> = {}): Project {
  const project = withContents(given, environment);
  const names = Object.entries(project.services).map(
    ([name, service]) => [name, withProfilePath(service, directory)] as const,
  );
  const services = Object.fromEntries(names);
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
