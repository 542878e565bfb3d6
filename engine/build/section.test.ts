/** Every attribute of `build` that the Compose Specification has: what it does to the request, or why it is refused. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadText } from '../../planner/load/fixture.ts';
import type { BuildRequest } from './builds.ts';
import { requestOf } from './request.ts';

const schema = JSON.parse(
  readFileSync(new URL('../../planner/load/compose-spec.schema.json', import.meta.url), 'utf8'),
) as { definitions: { service: { properties: { build: { oneOf: { properties?: object }[] } } } } };
const attributes = Object.keys(schema.definitions.service.properties.build.oneOf[1]!.properties!);

type Seen = (request: BuildRequest) => unknown;
type Row = { yaml: string; seen: Seen; is: unknown; refused?: [yaml: string, why: RegExp][] };

const rows: Record<string, Row> = {
  context: { yaml: './sub', seen: ({ context }) => context, is: '/p/sub' },
  dockerfile: { yaml: 'Other', seen: ({ dockerfile }) => dockerfile, is: 'Other' },
  dockerfile_inline: { yaml: '"FROM x"', seen: ({ inline }) => inline, is: 'FROM x' },
  entitlements: { yaml: '[network.host]', seen: ({ settings }) => settings.entitlements, is: ['network.host'] },
  args: {
    yaml: '{A: 1, FROM_ENV: }',
    seen: ({ settings }) => ({ ...settings.args }),
    is: { A: '1', FROM_ENV: 'given' },
  },
  ssh: { yaml: '[k=/socket]', seen: ({ ssh }) => [...ssh], is: [['k', '/socket']] },
  labels: { yaml: '[a=b]', seen: ({ settings }) => settings.labels, is: { a: 'b' } },
  cache_from: {
    yaml: '["type=local,src=/c"]',
    seen: ({ caches }) => caches.from,
    is: [{ type: 'local', directory: '/c' }],
    refused: [['[type=registry]', /needs ref=/]],
  },
  cache_to: {
    yaml: '[type=inline]',
    seen: ({ caches }) => caches.isInline,
    is: true,
    refused: [['["type=local,dest=/c,mode=some"]', /min or max/]],
  },
  no_cache: { yaml: 'true', seen: ({ settings }) => settings.noCache, is: true },
  additional_contexts: { yaml: '{o: ./other}', seen: ({ settings }) => settings.contexts, is: { o: '/p/other' } },
  network: {
    yaml: 'none',
    seen: ({ settings }) => settings.network,
    is: 'none',
    refused: [['mine', /"mine" is no network of build steps/]],
  },
  provenance: {
    yaml: 'mode=min',
    seen: ({ attestations }) => attestations.provenance,
    is: { mode: 'min', version: 'v1', builderId: '', isReproducible: false },
    refused: [
      ['mode=all', /min or max/],
      ['version=v3', /v1 or v0\.2/],
      ['nonsense=1', /options are/],
    ],
  },
  sbom: {
    yaml: 'true',
    seen: ({ attestations }) => attestations.sbom,
    is: true,
    refused: [['generator=a/b', /generator a\/b is not run/]],
  },
  pull: { yaml: 'true', seen: ({ pull }) => pull, is: true },
  target: { yaml: 'last', seen: ({ settings }) => settings.target, is: 'last' },
  shm_size: { yaml: '1m', seen: ({ settings }) => settings.shmSize, is: 1024 * 1024 },
  extra_hosts: { yaml: '{h: 10.0.0.1}', seen: ({ settings }) => settings.hosts, is: ['h=10.0.0.1'] },
  isolation: {
    yaml: 'default',
    seen: () => 'what every step has',
    is: 'what every step has',
    refused: [['hyperv', /exists on Windows only/]],
  },
  privileged: { yaml: 'true', seen: ({ settings }) => settings.privileged, is: true },
  secrets: {
    yaml: '[s]',
    seen: ({ secrets }) => [...secrets].map(([id, value]) => [id, `${value}`]),
    is: [['s', 'given']],
  },
  tags: { yaml: '[other:2]', seen: ({ names }) => names.slice(1), is: ['docker.io/library/other:2'] },
  ulimits: { yaml: '{nofile: 7}', seen: ({ settings }) => settings.ulimits, is: { nofile: { soft: 7, hard: 7 } } },
  platforms: {
    yaml: '[linux/arm64, linux/amd64]',
    seen: ({ settings }) => settings.platforms.map(({ architecture }) => architecture),
    is: ['arm64', 'amd64'],
    refused: [['["a/b/c/d"]', /not valid/]],
  },
};

function request(section: string): BuildRequest {
  const text = `services: {web: {build: {context: ., ${section}}}}\nsecrets: {s: {environment: FROM_ENV}}\n`;
  const { project } = loadText(section.startsWith('context:') ? text.replace('context: ., ', '') : text, {
    environment: { FROM_ENV: 'given' },
  });
  const common = { emit() {}, warn() {}, signal: new AbortController().signal };
  return requestOf(project, 'web', {}, { FROM_ENV: 'given' }, common);
}

test('each attribute of the schema has its row', () => {
  expect(Object.keys(rows).sort()).toEqual([...attributes].sort());
});

test.each(Object.entries(rows))('%s', (name, { yaml, seen, is, refused = [] }) => {
  expect(seen(request(`${name}: ${yaml}`))).toEqual(is);
  if (name !== 'isolation') expect(seen(request('x-none: 1'))).not.toEqual(is);
  for (const [other, why] of refused) expect(() => request(`${name}: ${other}`), other).toThrow(why);
});
