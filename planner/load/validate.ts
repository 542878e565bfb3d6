/** Phase 3: shapes and names of one file, by the schema. Whatever is wrong is reported and taken out, so that the rest can be read. */
import type { $ZodIssue } from 'zod/v4/core';
import { stackFile } from '../../schemas/stack-file.ts';
import { formatPath, type Key, type Path, type Places, positionOf } from './places.ts';
import type { Problems } from './problems.ts';
import { kindOf } from './read.ts';
import { hasVariable } from './spot.ts';
import { nearest } from './suggest.ts';

/** `keepsVariables`: variables were not filled in, so that any scalar may stand for another. */
export function validate(
  root: Record<string, unknown>,
  places: Places,
  problems: Problems,
  keepsVariables = false,
): void {
  const result = stackFile.safeParse(root);
  if (result.success) return;
  for (const issue of result.error.issues as $ZodIssue[]) {
    const isScalar = !/mapping|list/.test(issue.message);
    if (keepsVariables && isScalar && hasVariable(valueAt(root, issue.path as Key[]))) continue;
    report(issue, [], root, places, problems);
  }
}

function report(
  issue: $ZodIssue,
  prefix: Path,
  root: Record<string, unknown>,
  places: Places,
  problems: Problems,
): void {
  const path: Key[] = [...prefix, ...(issue.path as Key[])];
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      if (key.startsWith('x-')) continue;
      unknownAttribute(path, key, root, places, problems);
      remove(root, [...path, key]);
    }
    return;
  }
  const value = valueAt(root, path);
  if (issue.code === 'invalid_union') {
    const branch = issue.errors.find((issues) => issues.length > 0 && issues.every((inner) => !isAboutWhole(inner)));
    if (branch) {
      for (const inner of branch) report(inner, path, root, places, problems);
      return;
    }
  }
  const name = path.length === 0 ? 'the stack file' : formatPath(path);
  problems.error('config.type', {
    message: `${name}: expected ${issue.message}, found ${describe(value)}`,
    where: positionOf(places.find(root, path)),
    resource: formatPath(path),
  });
  remove(root, path);
}

/** An issue about the value itself, not about something inside it. */
function isAboutWhole(issue: $ZodIssue): boolean {
  return issue.path.length === 0 && issue.code !== 'unrecognized_keys';
}

function unknownAttribute(path: Path, key: string, root: object, places: Places, problems: Problems): void {
  const full = [...path, key];
  // So many errors are no slips of the fingers, and looking for near misses takes time.
  const meant = problems.errors.length > 200 ? undefined : nearest(key, knownAttributes(path));
  problems.error('config.unknown-attribute', {
    message: `${formatPath(full)} is no attribute of ${path.length === 0 ? 'a stack file' : formatPath(path)}`,
    hint: meant ? `Did you mean \`${meant}\`?` : 'Attributes of your own begin with x-.',
    where: positionOf(places.find(root, full), 'key'),
    resource: formatPath(full),
  });
}

interface Definition {
  type: string;
  shape?: Record<string, { _zod: { def: Definition } }>;
  innerType?: { _zod: { def: Definition } };
  valueType?: { _zod: { def: Definition } };
  element?: { _zod: { def: Definition } };
  options?: { _zod: { def: Definition } }[];
}

/** The attributes the schema knows at `path`, over all forms a value may take there. */
export function knownAttributes(path: Path): string[] {
  let definitions = [stackFile._zod.def as unknown as Definition];
  for (const key of path) definitions = definitions.flatMap(unwrap).flatMap((definition) => step(definition, key));
  return definitions.flatMap(unwrap).flatMap((definition) => Object.keys(definition.shape ?? {}));
}

function unwrap(definition: Definition): Definition[] {
  if (definition.type === 'optional') return unwrap(definition.innerType!._zod.def);
  if (definition.type === 'union') return definition.options!.flatMap((option) => unwrap(option._zod.def));
  return [definition];
}

function step(definition: Definition, key: Key): Definition[] {
  if (definition.type === 'record') return [definition.valueType!._zod.def];
  if (definition.type === 'array') return [definition.element!._zod.def];
  const attribute = definition.shape?.[key];
  return attribute ? [attribute._zod.def] : [];
}

function describe(value: unknown): string {
  if (typeof value === 'string') return value.length > 40 ? 'a string' : `the string ${JSON.stringify(value)}`;
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'boolean') return String(value);
  return kindOf(value);
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<Key, unknown> | null | undefined)?.[key], root);
}

/** Takes a wrong value out. Whole definitions stay, emptied, so that references to them still hold. */
function remove(root: Record<string, unknown>, path: Path): void {
  if (path.length === 0) return;
  const last = path.at(-1)!;
  const holder = valueAt(root, path.slice(0, -1));
  if (typeof holder !== 'object' || holder === null) return;
  if (path.length === 2) (holder as Record<Key, unknown>)[last] = {};
  else if (Array.isArray(holder)) holder[last as number] = undefined;
  else delete (holder as Record<Key, unknown>)[last];
}
