/** What a plan rests on: the parts of the stack file and of the machine, and which of them moved since. */
import { createHmac } from 'node:crypto';
import type { PlanFile } from '../../schemas/plan-file.ts';
import type { Project } from '../../schemas/project.ts';
import type { ObservedContainer, Snapshot } from '../../schemas/snapshot.ts';
import { byName } from '../graph.ts';
import { isUp } from '../reconcile/builder.ts';

/** Fingerprints of the stack file, by path: a service's fields each, everything else by its entry. */
export function definitionOf(project: Project, inputs: Record<string, string>, key: Buffer): PlanFile['definition'] {
  const found = new Map<string, string>();
  const note = (path: string, value: unknown) => found.set(path, fingerprint(path, value, key));
  for (const [section, entries] of Object.entries(project)) {
    if (section === 'services' || section === 'origin' || section.startsWith('x-')) continue;
    if (typeof entries !== 'object' || entries === null) note(section, entries);
    else for (const [name, entry] of Object.entries(entries)) note(`${section}.${name}`, entry);
  }
  for (const [name, service] of Object.entries(project.services)) {
    for (const [field, value] of Object.entries(service)) note(`services.${name}.${field}`, value);
  }
  for (const [name, digest] of Object.entries(inputs)) note(`what services.${name} is built from`, digest);
  return inOrder(found);
}

/** HMAC-SHA-256 with the machine's key: who has the file and not the key cannot try out values. */
function fingerprint(path: string, value: unknown, key: Buffer): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([path, sorted(value)]))
    .digest('hex');
}

export function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => byName(a, b))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

/** What a plan rests on of the machine, by resource, in words that `moved` compares and shows. */
export function worldOf(snapshot: Snapshot): PlanFile['world'] {
  const found = new Map<string, string>();
  for (const { record, ...container } of snapshot.containers) {
    const { name, id, image } = record;
    found.set(`container ${name} (${id.slice(0, 12)})`, `${stateOf(container)}, made from ${shortened(image.id)}`);
  }
  for (const { record, exists, drift = [] } of snapshot.networks) {
    const state = exists ? ['there', ...drift].join(', ') : 'without its bridge';
    found.set(`network ${record.name}`, `${state}, ${record.id?.slice(0, 12) ?? record.bridge}`);
  }
  for (const { name, createdAt, isContentGone } of snapshot.volumes) {
    found.set(`volume ${name}`, `${isContentGone ? 'without its content' : 'there'}, made ${createdAt}`);
  }
  for (const { name, id } of snapshot.images) found.set(`image ${name}`, shortened(id));
  for (const { kind, name } of snapshot.strays) found.set(`left-over ${kind} ${name}`, 'there');
  return inOrder(found);
}

function stateOf({ status }: Omit<ObservedContainer, 'record'>): string {
  if (isUp({ status } as ObservedContainer)) return 'up';
  if (status.state !== 'exited') return status.state;
  return status.isStopRequested ? 'stopped' : `exited with ${status.exitCode}`;
}

const shortened = (digest: string) => digest.slice(0, 'sha256:'.length + 12);

const inOrder = (map: Map<string, string>) => Object.fromEntries([...map].sort(([a], [b]) => byName(a, b)));

/** What differs of the stack file: `services.web.environment changed`. */
export function movedDefinition(was: PlanFile['definition'], is: PlanFile['definition']): string[] {
  return paths(was, is).flatMap((path) => {
    if (!Object.hasOwn(was, path)) return [`${path} is new`];
    if (!Object.hasOwn(is, path)) return [`${path} is gone`];
    return was[path] === is[path] ? [] : [`${path} changed`];
  });
}

/** What differs of the machine: `container demo-web-1 (0123456789ab): up → stopped`. */
export function movedWorld(was: PlanFile['world'], is: PlanFile['world']): string[] {
  const of = (map: PlanFile['world'], path: string) => (Object.hasOwn(map, path) ? map[path]! : 'not there');
  return paths(was, is).flatMap((path) =>
    of(was, path) === of(is, path) ? [] : [`${path}: ${of(was, path)} → ${of(is, path)}`],
  );
}

const paths = (a: object, b: object) => [...new Set([...Object.keys(a), ...Object.keys(b)])].sort(byName);
