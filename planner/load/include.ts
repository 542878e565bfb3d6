/** Phase 5a: `include`. Source: compose-spec 14-include.md. An included group of files is loaded like a project of its own. */
import { posix } from 'node:path';
import { assemble, type Layer, type Scope, type Session, shown } from './assemble.ts';
import { parseDotenv } from './dotenv.ts';
import type { Model } from './normalise.ts';
import { type Place, positionOf, type Variables } from './places.ts';
import { variableIn } from './template.ts';

const sections = ['services', 'networks', 'volumes', 'configs', 'secrets', 'models'] as const;

/** The model with everything the layer includes. A name defined on both sides is a conflict unless both say the same. */
export function applyIncludes(session: Session, layer: Layer, model: Model, scope: Scope): Model {
  const includes = layer.root.include;
  if (!Array.isArray(includes)) return model;
  let result = model;
  for (const [index, item] of includes.entries()) {
    if (item === undefined || item === null) continue;
    const place = session.places.get(includes, index);
    const included = loadInclude(session, layer, item, scope, place);
    if (included) result = join(session, result, included);
  }
  return result;
}

function list(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}

function loadInclude(session: Session, layer: Layer, item: unknown, scope: Scope, place?: Place): Model | undefined {
  const { problems } = session;
  const entry = typeof item === 'string' ? { path: item } : (item as Record<string, unknown>);
  const files = list(entry.path).map((path) => posix.resolve(scope.directory, path));
  const where = positionOf(place);
  if (files.length === 0) {
    problems.error('config.include', { message: 'include: the attribute path is missing', where });
    return undefined;
  }
  const chain = [...scope.chain, layer.file];
  const repeated = files.find((file) => chain.includes(file));
  if (repeated) {
    const cycle = [...chain.slice(chain.indexOf(repeated)), repeated].map((file) => shown(file, session.workingDir));
    problems.error('config.include', { message: `include: a cycle: ${cycle.join(' → ')}`, where });
    return undefined;
  }
  const directory =
    typeof entry.project_directory === 'string'
      ? posix.resolve(scope.directory, entry.project_directory)
      : posix.dirname(files[0]!);
  const variables = environment(session, entry, directory, scope, place);
  return assemble(session, files, { ...variables, directory, chain }, { place, resource: 'include' });
}

/** The including project's variables come first; then the env files named, or the `.env` of the included directory. */
function environment(
  session: Session,
  entry: Record<string, unknown>,
  directory: string,
  scope: Scope,
  place?: Place,
): Variables {
  const named = list(entry.env_file).map((path) => posix.resolve(scope.directory, path));
  const values: Record<string, string | null> = {};
  const places = new Map<string, Place>();
  for (const file of named.length > 0 ? named : [posix.join(directory, '.env')]) {
    const text = session.io.read(file);
    if (text === undefined) {
      if (named.length === 0) continue;
      session.problems.error('config.unreadable', {
        message: `include: env_file ${shown(file, session.workingDir)}: no such file`,
        where: positionOf(place),
      });
      continue;
    }
    const parsed = parseDotenv(
      text,
      shown(file, session.workingDir),
      (name) => scope.lookup(name) ?? variableIn(values, name),
    );
    session.problems.errors.push(...parsed.errors);
    Object.assign(values, parsed.values);
    for (const [name, given] of parsed.places) places.set(name, given);
  }
  return {
    lookup: (name) => scope.lookup(name) ?? variableIn(values, name),
    origin: (name) => scope.origin(name) ?? places.get(name),
  };
}

function join(session: Session, model: Model, included: Model): Model {
  const { places, problems } = session;
  const result: Model = { ...model };
  for (const section of sections) {
    const target: Record<string, Record<string, unknown>> = { ...model[section] };
    for (const name of Object.keys(target)) places.set(target, name, places.get(model[section], name));
    for (const [name, definition] of Object.entries(included[section])) {
      const place = places.get(included[section], name);
      if (Object.hasOwn(target, name) && JSON.stringify(target[name]) !== JSON.stringify(definition)) {
        problems.error('config.include', {
          message: `${section}.${name} is defined here and in an included file`,
          hint: 'Override an included resource from compose.override.yaml or from a second file of the same include.',
          where: positionOf(places.get(model[section], name), 'key'),
          other: positionOf(place, 'key'),
          resource: `${section}.${name}`,
        });
        continue;
      }
      target[name] = definition;
      places.set(target, name, place);
    }
    result[section] = target;
  }
  return result;
}
