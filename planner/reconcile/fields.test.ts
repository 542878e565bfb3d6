import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Service } from '../../schemas/project.ts';
import { serviceDifferences } from './compare.ts';
import { consequence } from './fields.ts';

const repository = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, repository), 'utf8');

/** Every attribute of a service that a stack file may have. */
function attributes(): string[] {
  const schema = JSON.parse(read('schemas/stack-file.schema.json'));
  const either = (node: { anyOf?: object[] }) => node.anyOf?.[0] ?? node;
  const services = either(schema.properties.services) as { additionalProperties: object };
  const whole = either(services.additionalProperties) as { properties: object };
  return Object.keys(whole.properties).sort();
}

test('docs/plan.md tells for every attribute what a change of it does, as it is done', () => {
  const rows = [...read('docs/plan.md').matchAll(/^\| `(\w+)` *\| (\w+) *\|/gm)].map(([, name, what]) => [name, what]);
  expect(attributes().length).toBeGreaterThan(60);
  expect(rows).toEqual(attributes().map((name) => [name, consequence(name)]));
});

const base: Service = { image: 'a', command: null, entrypoint: null };

test.each(attributes().filter((name) => consequence(name) === 'recreate'))('a change of %s recreates', (name) => {
  // In the form of a map, a list and a text: whichever it has, something of it is another.
  const isList = ['ports', 'volumes', 'pre_start'].includes(name);
  const [was, is] = isList ? [[{ target: 1 }], [{ target: 2 }]] : [{ k: 'a' }, { k: 'b' }];
  const found = serviceDifferences('web', { ...base, [name]: was } as Service, { ...base, [name]: is } as Service);
  expect(found.map(({ path }) => path.split(/[.[]/).slice(0, 3).join('.'))).toEqual([`services.web.${name}`]);
});

test.each(attributes().filter((name) => consequence(name) === 'nothing'))('a change of %s changes nothing', (name) => {
  expect(serviceDifferences('web', base, { ...base, [name]: ['x'] } as Service)).toEqual([]);
});

/** As another version of Stack may have written it down, or may load it: the same service, more or less spelled out. */
test.each<[string, Partial<Service>, Partial<Service>]>([
  [
    'defaults that are written out',
    {},
    { restart: 'no', stop_grace_period: '10s', ipc: 'private' } as Partial<Service>,
  ],
  ['what is off', {}, { init: false, tty: false, privileged: false, read_only: false }],
  [
    'a port',
    { ports: [{ target: 80, published: '80' } as never] },
    { ports: [{ target: 80, published: '80', protocol: 'tcp', mode: 'ingress', name: 'web', app_protocol: 'http' }] },
  ],
  [
    'a mount',
    { volumes: [{ type: 'bind', source: '/a', target: '/a' }] },
    { volumes: [{ type: 'bind', source: '/a', target: '/a', read_only: false, bind: { create_host_path: true } }] },
  ],
  [
    'a volume',
    { volumes: [{ type: 'volume', source: 'd', target: '/d' }] },
    { volumes: [{ type: 'volume', source: 'd', target: '/d', volume: { nocopy: false }, consistency: 'cached' }] },
  ],
  ['a limit', { ulimits: { nofile: 5 } }, { ulimits: { nofile: { soft: 5, hard: 5 } } }],
  ['the one log there is', {}, { logging: { driver: 'json-file' } }],
  ['deploy', {}, { deploy: { mode: 'replicated', resources: {}, placement: {}, labels: { a: 'b' } } }],
  ['an image by its long name', { image: 'redis' }, { image: 'docker.io/library/redis:latest' }],
  ['attributes that are later', {}, { 'x-later': 1, pull_refresh_after: '1d' } as Partial<Service>],
])('the same written otherwise is no change: %s', (_, was, is) => {
  expect(serviceDifferences('web', { ...base, ...was }, { ...base, ...is })).toEqual([]);
  expect(serviceDifferences('web', { ...base, ...is }, { ...base, ...was })).toEqual([]);
});

test.each<[string, Partial<Service>, Partial<Service>]>([
  ['restart', {}, { restart: 'always' }],
  [
    'a mount that becomes read-only',
    { volumes: [{ type: 'bind', target: '/a' }] },
    { volumes: [{ type: 'bind', target: '/a', read_only: true }] },
  ],
  [
    'the size of a log',
    { logging: { driver: 'local' } },
    { logging: { driver: 'local', options: { 'max-size': '1m' } } },
  ],
  ['a tag', { image: 'redis' }, { image: 'redis:7' }],
  ['a platform', {}, { platform: 'linux/arm64' }],
])('what differs all the same: %s', (_, was, is) => {
  expect(serviceDifferences('web', { ...base, ...was }, { ...base, ...is })).toHaveLength(1);
});
