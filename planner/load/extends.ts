/** Phase 5b: `extends`. Source: compose-spec 05-services.md "extends". */
import { posix } from 'node:path';
import { type Asked, type Layer, loadLayers, type Scope, type Session, shown } from './assemble.ts';
import { mergeServices, without } from './merge.ts';
import type { Model } from './normalise.ts';
import { positionOf } from './places.ts';
import { nearest } from './suggest.ts';

type Service = Record<string, unknown>;

/** Services that extend one another at most: far more than any real file has, and few enough for the stack. */
const longestChain = 500;

/** What each service of a layer became: one that many extend is resolved once. */
const resolved = new WeakMap<Layer, Map<string, Service>>();

/** The layer's model with every `extends` resolved. `earlier` is what the files before it made. */
export function applyExtends(session: Session, layer: Layer, scope: Scope, earlier?: Model): Model {
  const names = Object.keys(layer.model.services);
  if (!names.some((name) => layer.model.services[name]!.extends)) return layer.model;
  const services: Record<string, Service> = {};
  for (const name of names) {
    const service = resolve(session, layer, name, scope, [], earlier);
    if (!service) continue;
    services[name] = service;
    session.places.set(services, name, session.places.get(layer.model.services, name));
  }
  return { ...layer.model, services };
}

/** `chain`: `file: service` of those already being resolved. */
function resolve(
  session: Session,
  layer: Layer,
  name: string,
  scope: Scope,
  chain: string[],
  earlier?: Model,
): Service | undefined {
  const service = layer.model.services[name];
  const wanted = service?.extends as { service?: string; file?: string } | undefined;
  if (!service || !wanted) return service;
  const known = resolved.get(layer) ?? new Map<string, Service>();
  resolved.set(layer, known);
  const before = known.get(name);
  if (before) return before;
  const { places, problems } = session;
  const place = places.get(service, 'extends');
  const own = without(service, ['extends'], places);
  const fail = (message: string, hint?: string) => {
    problems.error('config.extends', {
      message: `services.${name}.extends: ${message}`,
      hint,
      where: positionOf(place),
      resource: `services.${name}.extends`,
    });
    return own;
  };
  if (wanted.service === undefined) return fail('the attribute service is missing');
  const here = `${shown(layer.file, session.workingDir)}: ${name}`;
  if (chain.includes(here)) return fail(`a cycle: ${[...chain.slice(chain.indexOf(here)), here].join(' → ')}`);

  if (chain.length >= longestChain) return fail(`more than ${longestChain} services extend one another`);

  const base = findBase(
    session,
    layer,
    wanted as { service: string; file?: string },
    scope,
    { place, resource: `services.${name}.extends` },
    earlier,
  );
  if (base === 'unreadable') return own;
  if (!base.layer) {
    const meant = nearest(wanted.service, base.candidates);
    return fail(
      `no service ${wanted.service} in ${wanted.file ?? shown(layer.file, session.workingDir)}`,
      meant && `Did you mean \`${meant}\`?`,
    );
  }
  let found: Service | undefined = resolve(session, base.layer, wanted.service, base.scope, [...chain, here], earlier);
  if (!found) return own;
  for (const [section, owner, ...path] of layer.cleared) {
    if (section === 'services' && owner === name && path.length > 0) found = without(found, path, places);
  }
  const merged = mergeServices(found, own, places);
  known.set(name, merged);
  return merged;
}

interface Base {
  layer?: Layer;
  scope: Scope;
  candidates: string[];
}

function findBase(
  session: Session,
  layer: Layer,
  wanted: { service: string; file?: string },
  scope: Scope,
  asked: Asked,
  earlier?: Model,
): Base | 'unreadable' {
  if (wanted.file === undefined) {
    const candidates = [...Object.keys(layer.model.services), ...Object.keys(earlier?.services ?? {})];
    if (Object.hasOwn(layer.model.services, wanted.service)) return { layer, scope, candidates };
    const before = earlier && Object.hasOwn(earlier.services, wanted.service);
    return { scope, candidates, ...(before ? { layer: { ...layer, model: earlier } } : {}) };
  }
  const file = posix.resolve(scope.directory, wanted.file);
  const theirs = { ...scope, directory: posix.dirname(file) };
  const layers = loadLayers(session, file, theirs, asked);
  if (layers.length === 0) return 'unreadable';
  const found = layers.findLast((one) => Object.hasOwn(one.model.services, wanted.service));
  const candidates = layers.flatMap((one) => Object.keys(one.model.services));
  return { scope: theirs, candidates, ...(found ? { layer: found } : {}) };
}
