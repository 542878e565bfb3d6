/** What holds for any stack file: the order of keys makes no difference, and files merge from either end. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loaded, loadFiles } from './fixture.ts';
import { canonicalJson } from './load.ts';
import { mergeModels } from './merge.ts';
import { normalise } from './normalise.ts';
import { Places } from './places.ts';
import { Problems } from './problems.ts';

const folder = join(import.meta.dirname, 'attributes');
const beside = { 'other.yaml': 'services: {base: {image: i}}\n', 'variables.env': 'E=1\n', 'labels.env': 'F=2\n' };
const config = (files: Record<string, string>) =>
  canonicalJson(
    loaded(loadFiles({ ...beside, ...files }, { profiles: ['*'], environment: { HOME: '/root' } })).project,
  );

/** The same data with the keys of every mapping in another order. */
function shuffled(value: unknown, next: () => number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => shuffled(item, next));
  const entries = Object.entries(value).map(([key, item]) => [next(), key, shuffled(item, next)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => a - b).map(([, key, item]) => [key, item]));
}

test.each(['short.yaml', 'long.yaml', 'rest.yaml'])('the order of keys in %s makes no difference', (file) => {
  const value = parse(readFileSync(join(folder, file), 'utf8'));
  const expected = config({ 'compose.yaml': JSON.stringify(value) });
  fc.assert(
    fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (numbers) => {
      const written = JSON.stringify(shuffled(value, () => numbers.next().value as number));
      expect(config({ 'compose.yaml': written })).toEqual(expected);
    }),
    { numRuns: 25 },
  );
});

/** Attributes in forms that meet one another when files merge. */
const forms: unknown[][] = [
  [{ image: 'x' }, { image: 'y' }, { tty: true }, { tty: false }, { user: 'a' }],
  [{ command: 'a b' }, { command: ['c'] }, { command: null }, { entrypoint: [] }],
  [{ environment: { A: 1, B: null } }, { environment: ['A=2', 'C'] }, { environment: {} }],
  [{ labels: ['a=1'] }, { labels: { a: 2, b: null } }, { sysctls: { a: 1 } }, { sysctls: ['a=2', 'b=1'] }],
  [{ ports: ['80:80'] }, { ports: [{ target: 80, published: 80 }, '81'] }, { ports: ['127.0.0.1:80:80', '81/udp'] }],
  [{ volumes: ['v:/a', '/b'] }, { volumes: ['./c:/a:ro'] }, { volumes: [{ type: 'tmpfs', target: '/b' }] }],
  [{ networks: ['n'] }, { networks: { n: { aliases: ['q'] }, m: null } }, { networks: { m: { priority: 1 } } }],
  [{ depends_on: ['b'] }, { depends_on: { b: { condition: 'service_healthy' }, c: { condition: 'service_started' } } }],
  [
    { healthcheck: { test: 'a', retries: 1 } },
    { healthcheck: { test: ['CMD', 'b'] } },
    { healthcheck: { disable: true } },
  ],
  [{ dns: '1.1.1.1' }, { dns: ['2.2.2.2', '1.1.1.1'] }, { cap_add: ['A'] }, { cap_add: ['B', 'A'] }, { tmpfs: '/t' }],
  [
    { secrets: ['s'] },
    { secrets: [{ source: 't', target: 's' }] },
    { configs: ['s'] },
    { configs: [{ source: 't', target: '/s' }] },
  ],
  [
    { build: '.' },
    { build: { args: ['A=1'], tags: ['x'] } },
    { build: { args: { A: 2 }, target: 't', tags: ['y', 'x'] } },
  ],
  [
    { deploy: { replicas: 1, labels: ['a=b'] } },
    { deploy: { resources: { limits: { cpus: 1 } } } },
    { deploy: { labels: { a: 'c' } } },
  ],
  [{ ulimits: { n: 1 } }, { ulimits: { n: { soft: 1, hard: 2 } } }, { devices: ['/a:/b'] }, { devices: ['/c:/b'] }],
  [
    { 'x-own': { a: 1 } },
    { 'x-own': { b: [2] } },
    { extra_hosts: ['a=1.1.1.1'] },
    { extra_hosts: { a: '2.2.2.2', b: '::1' } },
  ],
];

const service = fc
  .tuple(...forms.map((group) => fc.option(fc.constantFrom(...group), { nil: undefined })))
  .map((chosen) => Object.assign({}, ...chosen));
const file = fc.record(
  {
    services: fc.dictionary(fc.constantFrom('a', 'b'), service),
    networks: fc.dictionary(
      fc.constantFrom('n', 'm'),
      fc.constantFrom({}, { driver: 'bridge' }, { labels: { a: 'b' } }, { internal: true }),
    ),
    volumes: fc.dictionary(
      fc.constantFrom('v', 'w'),
      fc.constantFrom({}, { driver_opts: { a: 'b' } }, { driver_opts: { a: 'c', d: 'e' } }),
    ),
  },
  { requiredKeys: [] },
);

/**
 * Source: compose-spec 13-merge.md: mappings merge, lists append, what has an identity replaces. The options of two logging
 * drivers are the exception: they merge only where the drivers are equal, so that it matters which two meet first.
 */
test('files merge alike from either end', () => {
  const places = new Places();
  const problems = new Problems();
  const model = (root: object) =>
    normalise(structuredClone(root) as Record<string, unknown>, { places, problems, directory: '/p', home: undefined });
  fc.assert(
    fc.property(file, file, file, (first, second, third) => {
      const left = mergeModels(mergeModels(model(first), model(second), places), model(third), places);
      const right = mergeModels(model(first), mergeModels(model(second), model(third), places), places);
      expect(left).toEqual(right);
      expect(problems.errors).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
