/** The project as `docker compose config` prints it: keys sorted, `$` doubled so that the output can be loaded again. */
import type { Project } from '../../schemas/project.ts';
import { withoutInnerExtensions } from './omit.ts';

/** `isTemplate`: variables were not filled in, so that a `$` is one. */
export function canonical(project: Project, isTemplate = false): Record<string, unknown> {
  const double = isTemplate ? (text: string) => text : (text: string) => text.replaceAll('$', '$$$$');
  const result = sorted(project, double) as Record<string, unknown>;
  for (const section of ['volumes', 'networks']) {
    if (Object.keys((result[section] ?? {}) as object).length === 0) delete result[section];
  }
  return result;
}

/** The same as docker compose has it in JSON: of all extensions only those of the file itself, their empty lists null. */
export function canonicalJson(project: Project, isTemplate = false): Record<string, unknown> {
  const whole = canonical(project, isTemplate);
  if (isTemplate) return whole;
  const result = withoutInnerExtensions(whole);
  for (const key of Object.keys(result)) if (key.startsWith('x-')) result[key] = withoutEmptyLists(result[key]);
  return result;
}

/** The same as docker compose has it in YAML, its name first: nothing stands there for what is not said. */
export function canonicalYaml(project: Project, isTemplate = false): Record<string, unknown> {
  const whole = canonical(project, isTemplate);
  for (const service of holders(whole.services)) {
    for (const key of ['command', 'entrypoint']) if (service[key] === null) delete service[key];
    for (const deploy of holders([service.deploy])) dropHollow(deploy, ['placement', 'resources']);
  }
  for (const network of holders(whole.networks)) dropHollow(network, ['ipam']);
  return { name: whole.name, ...whole };
}

type Mapping = Record<string, unknown>;

function holders(section: unknown): Mapping[] {
  return Object.values((section ?? {}) as object).filter((item) => typeof item === 'object' && item !== null);
}

function dropHollow(holder: Mapping, keys: string[]): void {
  for (const key of keys) if (holder[key] && Object.keys(holder[key]).length === 0) delete holder[key];
}

function withoutEmptyLists(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.length === 0 ? null : value.map(withoutEmptyLists);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutEmptyLists(item)]));
}

function sorted(value: unknown, double: (text: string) => string): unknown {
  if (typeof value === 'string') return double(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => sorted(item, double));
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (item !== undefined) result[double(key)] = sorted(item, double);
  }
  return result;
}
