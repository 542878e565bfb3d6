/**
 * Plain scalars that become something else than their characters where text is meant: `0644` is 420, `1.10` is 1.1. Also
 * those that only other readers change: `yes` and `22:22`. Source: YAML 1.2 core schema; YAML 1.1 bool, int (sexagesimal).
 */
import type { Key, Place } from './places.ts';
import { positionOf } from './places.ts';
import type { WarnTask } from './warn.ts';

/** What holds text, whatever its characters look like. */
const texts = new Set([
  ...['environment', 'labels', 'annotations', 'args', 'driver_opts', 'options', 'sysctls'],
  ...[
    'command',
    'entrypoint',
    'test',
    'user',
    'hostname',
    'domainname',
    'container_name',
    'image',
    'group_add',
    'restart',
  ],
]);
const words = /^(?:yes|no|on|off)$/i;
/** Base 60: every part after the first is below 60. */
const sexagesimal = /^[0-9]+(?::[0-5]?[0-9])+$/;

export function warnOfScalars(task: WarnTask): void {
  for (const documents of task.session.documents.values()) {
    for (const { root } of documents) {
      const seen = new Set<object>();
      for (const section of ['services', 'networks', 'volumes'] as const) {
        const value = root[section];
        if (typeof value === 'object' && value !== null) visit(value, section, false, seen, task);
      }
    }
  }
}

function visit(holder: object, path: string, isText: boolean, seen: Set<object>, task: WarnTask): void {
  // An anchor's value is there as often as it is named.
  if (seen.has(holder)) return;
  seen.add(holder);
  const isPorts = path.endsWith('.ports');
  const keys: Key[] = Array.isArray(holder) ? [...holder.keys()] : Object.keys(holder);
  for (const key of keys) {
    const value = (holder as Record<Key, unknown>)[key];
    const at = `${path}.${key}`;
    const meansText = isText || (path !== 'services' && typeof key === 'string' && texts.has(key));
    if (typeof value === 'object' && value !== null) visit(value, at, meansText, seen, task);
    else if (meansText || isPorts) look(value, at, isPorts, task.session.places.get(holder, key), task);
  }
}

function look(value: unknown, path: string, isPort: boolean, place: Place | undefined, task: WarnTask): void {
  if (!place) return;
  const written = place.source.text.slice(place.start, place.end);
  const tell = (message: string, hint: string) =>
    task.session.problems.warn('config.surprise', {
      message: `${path}: ${message}`,
      hint,
      where: positionOf(place),
      resource: path,
    });
  if (
    (typeof value === 'number' || typeof value === 'boolean') &&
    String(value) !== written &&
    /^[-+.\w]+$/.test(written)
  ) {
    tell(
      `${written} is read as ${typeof value === 'number' ? 'the number ' : ''}${value}`,
      `Write ${JSON.stringify(written)} to keep its characters.`,
    );
  } else if (task.hints && typeof value === 'string' && value === written && !isPort && words.test(value)) {
    tell(
      `${value} is the word here, and a truth value to readers of YAML 1.1`,
      `Write ${JSON.stringify(value)} for all of them.`,
    );
  } else if (task.hints && typeof value === 'string' && value === written && sexagesimal.test(value)) {
    tell(
      `${value} is text here, and a number of base 60 to readers of YAML 1.1`,
      `Write ${JSON.stringify(value)} for all of them.`,
    );
  }
}
