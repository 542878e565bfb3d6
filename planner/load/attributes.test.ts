/**
 * Every attribute of the Compose Specification, in the files below `attributes`: what becomes of its short and of its long
 * form, and that none is forgotten. `every.json` and `rest.json` are what `stack config --format json` prints; all that
 * docker compose 2.26.1 knows of it, it prints too.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loaded, loadFiles } from './fixture.ts';
import { canonicalJson } from './load.ts';

const folder = join(import.meta.dirname, 'attributes');
const read = (file: string) => readFileSync(join(folder, file), 'utf8');
const beside = {
  'other.yaml': 'services: {base: {image: i, user: other}}\n',
  'variables.env': 'E=1\n',
  'labels.env': 'F=2\n',
};
const config = (file: string) =>
  canonicalJson(
    loaded(loadFiles({ ...beside, 'compose.yaml': read(file) }, { profiles: ['*'], environment: { HOME: '/root' } }))
      .project,
  );

test.each([
  ['short.yaml', 'every.json'],
  ['long.yaml', 'every.json'],
  ['rest.yaml', 'rest.json'],
])('%s becomes %s', (written, expected) => expect(config(written)).toEqual(JSON.parse(read(expected))));

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  oneOf?: Schema[];
  definitions?: Record<string, Schema>;
}

/** `services.*.ports.*.target`: names and positions are `*`. */
function attributesOf(schema: Schema): Set<string> {
  const found = new Set<string>();
  const visit = (node: Schema, path: string[]) => {
    if (node.$ref) visit(schema.definitions![node.$ref.replace('#/definitions/', '')]!, path);
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      found.add([...path, key].join('.'));
      visit(child, [...path, key]);
    }
    for (const [pattern, child] of Object.entries(node.patternProperties ?? {})) {
      if (pattern !== '^x-') visit(child, [...path, '*']);
    }
    if (typeof node.additionalProperties === 'object') visit(node.additionalProperties, [...path, '*']);
    if (node.items) visit(node.items, [...path, '*']);
    for (const option of node.oneOf ?? []) visit(option, path);
  };
  visit(schema, []);
  return found;
}

/** The attributes of `known` that `value` has. */
function present(value: unknown, known: Set<string>): Set<string> {
  const found = new Set<string>();
  const visit = (holder: unknown, paths: string[]) => {
    if (typeof holder !== 'object' || holder === null) return;
    for (const [key, item] of Object.entries(holder)) {
      const next = paths.flatMap((path) => (path === '' ? [key] : [`${path}.${key}`, `${path}.*`]));
      for (const path of next) if (known.has(path)) found.add(path);
      visit(
        item,
        next.filter((path) => [...known].some((one) => one === path || one.startsWith(`${path}.`))),
      );
    }
  };
  visit(value, ['']);
  return found;
}

/** What is used up on the way to the canonical form, and by whom. */
const consumed: Record<string, string> = {
  version: 'obsolete: warned of and ignored',
  include: 'include.ts',
  'include.*.path': 'include.ts',
  'include.*.env_file': 'include.ts',
  'include.*.project_directory': 'include.ts',
  'services.*.extends': 'extends.ts',
  'services.*.extends.service': 'extends.ts',
  'services.*.extends.file': 'extends.ts',
  'services.*.env_file': 'environment.ts: into environment',
  'services.*.env_file.*.path': 'environment.ts',
  'services.*.env_file.*.format': 'environment.ts',
  'services.*.env_file.*.required': 'environment.ts',
  'services.*.label_file': 'environment.ts: into labels',
  'networks.*.external.name': 'normalise.ts: into name',
  'volumes.*.external.name': 'normalise.ts: into name',
  'configs.*.external.name': 'normalise.ts: into name',
  'secrets.*.external.name': 'normalise.ts: into name',
  'networks.*.ipam.options': 'defaults.ts: as with docker compose, only driver and config are kept',
};

test('every attribute of the specification is written in one of the files, and comes out or is used up', () => {
  // compose-spec's JSON schema, Apache-2.0, as published.
  const known = attributesOf(JSON.parse(readFileSync(join(import.meta.dirname, 'compose-spec.schema.json'), 'utf8')));
  expect(known.size).toBeGreaterThan(300);
  const files = ['short.yaml', 'long.yaml', 'rest.yaml'];
  const written = new Set(files.flatMap((file) => [...present(parse(read(file)), known)]));
  expect([...known].filter((attribute) => !written.has(attribute))).toEqual([]);
  const printed = new Set(files.flatMap((file) => [...present(config(file), known)]));
  expect([...known].filter((attribute) => !printed.has(attribute)).sort()).toEqual(Object.keys(consumed).sort());
});
