/**
 * Phase 11: what loads, and is probably not meant. Warnings are certain to bite, and told by every command; hints may be
 * meant, and are told by `stack config --lint`. Of what docker compose takes in silence only the certain is warned of.
 */
import type { Service } from '../../schemas/project.ts';
import type { Session } from './assemble.ts';
import type { Model } from './normalise.ts';
import { formatPath, type Path, type Place, positionOf } from './places.ts';
import { variablesOf } from './variables.ts';
import { warnOfScalars } from './warn-scalars.ts';

export interface WarnTask {
  session: Session;
  model: Model;
  /** Those that are on, and those that are off by profile. */
  services: Record<string, Service>;
  enabled: Record<string, Service>;
  /** Hints too. */
  hints: boolean;
}

export function warn(task: WarnTask): void {
  for (const name of Object.keys(task.enabled)) {
    warnOfHealth(name, task);
    if (!task.hints) continue;
    hintAtPorts(name, task);
    hintAtShellVariables(name, task);
  }
  warnOfScalars(task);
  if (task.hints) hintAtUnused(task);
}

function tell({ session, model, services }: WarnTask, path: Path, message: string, hint: string, at?: Place): void {
  const place = at ?? session.places.find({ ...model, services }, path);
  session.problems.warn('config.surprise', {
    message: `${formatPath(path)}: ${message}`,
    hint,
    where: positionOf(place, 'key'),
    resource: formatPath(path),
  });
}

function warnOfHealth(name: string, task: WarnTask): void {
  for (const [to, { condition }] of Object.entries(task.enabled[name]!.depends_on ?? {})) {
    const target = task.enabled[to];
    if (condition !== 'service_healthy' || !target) continue;
    const path = ['services', name, 'depends_on', to];
    const check = target.healthcheck;
    const test = check?.test?.[0];
    if (check?.disable || test === 'NONE') {
      tell(
        task,
        path,
        `waits for ${to} to be healthy, and the health check of ${to} is turned off`,
        '`stack up` will fail there: turn the check on, or wait with condition: service_started.',
      );
    } else if (task.hints && test === undefined) {
      tell(
        task,
        path,
        `waits for ${to} to be healthy, and ${to} has no health check of its own`,
        `Unless its image has one, \`stack up\` will fail there: add services.${to}.healthcheck.`,
      );
    }
  }
}

function hintAtPorts(name: string, task: WarnTask): void {
  for (const [index, port] of (task.enabled[name]!.ports ?? []).entries()) {
    if (port.published === undefined || port.host_ip) continue;
    const ending = `${port.published}:${port.target}`;
    tell(
      task,
      ['services', name, 'ports', index],
      `port ${port.published} is reached from everywhere: it is published on all addresses of this machine`,
      `Write 127.0.0.1:${ending} to have it on this machine only, or 0.0.0.0:${ending} to say that it is meant.`,
    );
  }
}

/** A command that means a variable of the container gets the one of whoever runs `stack`. */
function hintAtShellVariables(name: string, task: WarnTask): void {
  const { places } = task.session;
  const service = task.enabled[name] as unknown as Record<string, unknown>;
  const commands: [Path, unknown][] = [
    [['command'], service.command],
    [['entrypoint'], service.entrypoint],
    [['healthcheck', 'test'], (service.healthcheck as { test?: unknown } | undefined)?.test],
  ];
  for (const [path, words] of commands) {
    if (!Array.isArray(words)) continue;
    for (const index of words.keys()) {
      const place = places.get(words, index);
      const { text, scope } = place?.template ?? {};
      for (const variable of text === undefined ? [] : variablesOf(text)) {
        if (scope!.lookup(variable.name) === undefined || scope!.origin(variable.name) !== 'environment') continue;
        tell(
          task,
          ['services', name, ...path],
          `$${variable.name} is filled in here, from the environment of \`stack\``,
          `Write $$${variable.name} to have the container fill it in.`,
          place,
        );
      }
    }
  }
}

function hintAtUnused(task: WarnTask): void {
  const used = usedNames(Object.values(task.services) as unknown as Record<string, unknown>[]);
  for (const section of ['networks', 'volumes', 'configs', 'secrets', 'models'] as const) {
    for (const key of Object.keys(task.model[section])) {
      if (used.has(`${section}/${key}`) || (section === 'networks' && key === 'default')) continue;
      tell(task, [section, key], 'no service uses it', 'It is not created: name it in a service, or remove it.');
    }
  }
}

function usedNames(services: Record<string, unknown>[]): Set<string> {
  const used = new Set<string>();
  for (const service of services) {
    for (const section of ['networks', 'models'] as const) {
      for (const key of Object.keys((service[section] ?? {}) as object)) used.add(`${section}/${key}`);
    }
    for (const { source } of (service.volumes ?? []) as { source?: string }[]) used.add(`volumes/${source}`);
    const build = service.build as { secrets?: unknown } | undefined;
    for (const [section, list] of [
      ['configs', service.configs],
      ['secrets', service.secrets],
      ['secrets', build?.secrets],
    ] as const) {
      for (const { source } of (list ?? []) as { source: string }[]) used.add(`${section}/${source}`);
    }
  }
  return used;
}
