/** Phase 8: `env_file` and `label_file` are read into `environment` and `labels`; names without a value get the project's. */

import type { Io } from './discover.ts';
import { type Dotenv, parseDotenv } from './dotenv.ts';
import { type Place, type Places, positionOf, type Variables } from './places.ts';
import type { Problems } from './problems.ts';
import { variableIn } from './template.ts';

export interface EnvironmentTask {
  io: Io;
  places: Places;
  problems: Problems;
  variables: Variables;
  show: (path: string) => string;
}

interface FileEntry {
  path?: string;
  required?: boolean;
  format?: string;
}

type Service = Record<string, unknown>;

/** Changes `service` in place. Values of `environment` go over those of the files, later files over earlier ones. */
export function resolveEnvironment(name: string, service: Service, task: EnvironmentTask): void {
  const places = task.places.because('environment');
  const { lookup } = task.variables;
  const own = service.environment as Record<string, string | null> | undefined;
  if (Array.isArray(service.env_file)) {
    const result: Record<string, string | null> = {};
    for (const [index, entry] of (service.env_file as FileEntry[]).entries()) {
      const place = places.get(service.env_file, index);
      const values = readEntry(`services.${name}.env_file`, entry, place, task, (variable) =>
        variableIn(result, variable),
      );
      for (const [key, value] of Object.entries(values.values)) {
        if (value === null) continue;
        cover(result, key, values.places.get(key) ?? place);
        result[key] = value;
      }
    }
    for (const key of Object.keys(own ?? {})) cover(result, key, places.get(own!, key));
    Object.assign(result, own);
    if (Object.keys(result).length > 0) service.environment = result;
    delete service.env_file;
  }
  const environment = service.environment as Record<string, string | null> | undefined;
  for (const key of Object.keys(environment ?? {})) {
    if (environment![key] !== null) continue;
    environment![key] = lookup(key) ?? null;
    const place = places.get(environment!, key);
    if (place) places.set(environment!, key, { ...place, template: { text: `\${${key}}`, scope: task.variables } });
  }

  const args = (service.build as { args?: Record<string, string | null> } | undefined)?.args;
  for (const key of Object.keys(args ?? {})) {
    args![key] ??= lookup(key) ?? null;
    if (args![key] === null) delete args![key];
  }

  if (Array.isArray(service.label_file)) {
    const result: Record<string, string> = {};
    for (const [index, file] of (service.label_file as string[]).entries()) {
      const place = places.get(service.label_file, index);
      const values = readEntry(`services.${name}.label_file`, { path: file }, place, task, () => undefined);
      for (const [key, value] of Object.entries(values.values)) {
        cover(result, key, values.places.get(key) ?? place);
        result[key] = value ?? '';
      }
    }
    const labels = (service.labels ?? {}) as Record<string, string>;
    for (const key of Object.keys(labels)) cover(result, key, places.get(labels, key));
    service.labels = Object.assign(result, labels);
    delete service.label_file;
  }

  function cover(result: Record<string, string | null>, key: string, place: Place | undefined): void {
    if (!Object.hasOwn(result, key)) places.set(result, key, place);
    else places.replace(result, key, place, result[key], places.get(result, key));
  }
}

function readEntry(
  attribute: string,
  entry: FileEntry,
  place: Place | undefined,
  task: EnvironmentTask,
  earlier: (name: string) => string | undefined,
): Pick<Dotenv, 'values' | 'places'> {
  const nothing = { values: {}, places: new Map<string, Place>() };
  if (entry.path === undefined) return nothing;
  const text = task.io.kind(entry.path) === 'directory' ? undefined : task.io.read(entry.path);
  if (text === undefined) {
    if (entry.required === false) return nothing;
    task.problems.error('config.unreadable', {
      message: `${attribute}: ${task.show(entry.path)}: no such file`,
      hint: 'Create it, or write the entry as {path: …, required: false}.',
      where: positionOf(place),
      resource: attribute,
    });
    return nothing;
  }
  const lookup = (name: string) => task.variables.lookup(name) ?? earlier(name);
  const parsed = parseDotenv(text, task.show(entry.path), lookup, entry.format === 'raw');
  task.problems.errors.push(...parsed.errors);
  return parsed;
}
