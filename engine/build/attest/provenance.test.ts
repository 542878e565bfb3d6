import { expect, test } from 'vitest';
import { graphed, settings } from '../../../planner/dockerfile/graph/graph.fixture.ts';
import { readAttestations } from './options.ts';
import { provenanceOf } from './provenance.ts';
import { imagePurl } from './purl.ts';
import { sbomOf } from './sbom.ts';

const text = `FROM a AS one
ARG TOKEN
RUN --mount=type=secret,id=password make
ADD https://user:hidden@example.com/file /
FROM b
COPY --from=one /x /
COPY y /
`;
const given = {
  ...settings,
  args: { TOKEN: 'value', HTTP_PROXY: 'http://user:hidden@proxy' },
  secrets: ['password'],
};

async function told(provenance: string) {
  const graph = await graphed(text, { settings: given, context: { location: '/home/me', ignore: [] } });
  const result = graph.results[0]!;
  const file = result && Object.values(graph.vertices)[0]!.where.file;
  const built = {
    ...{ graph, result, settings: given, config: { path: 'Dockerfile' }, texts: new Map([[file, text]]) },
    ...{ checksums: new Map(), layers: new Map(), invocation: 'i', startedOn: 's', finishedOn: 'f' },
  };
  return provenanceOf(built, readAttestations(provenance, false).provenance!);
}

test('what is secret is in none of them', async () => {
  for (const options of ['mode=max', 'mode=min', 'mode=max,version=v0.2', 'mode=min,version=v0.2']) {
    const steps = JSON.stringify(await told(options), (key, value) => (key === 'data' ? '' : value));
    expect(steps).not.toMatch(/hidden|\/home\/me/);
  }
});

test('mode=max has arguments, secrets by name, steps and the Dockerfile; mode=min has not', async () => {
  const most = (await told('true')).predicate as never as Record<string, Record<string, Record<string, unknown>>>;
  expect(most.buildDefinition!.externalParameters).toMatchObject({
    request: {
      args: { 'build-arg:TOKEN': 'value' },
      secrets: [{ id: 'password', optional: true }],
      locals: [{ name: 'context' }],
    },
  });
  const least = JSON.stringify(await told('mode=min'));
  expect(JSON.stringify(most)).toContain(Buffer.from(text).toString('base64'));
  expect(least).not.toMatch(/TOKEN|password|make|build-arg/);
  expect(JSON.parse(least)).toMatchObject({
    predicate: {
      buildDefinition: {
        resolvedDependencies: [
          { uri: 'https://example.com/file' },
          { uri: 'pkg:docker/a@latest?platform=linux%2Famd64' },
          { uri: 'pkg:docker/b@latest?platform=linux%2Famd64' },
        ],
      },
    },
  });
});

test('names of images as package URLs', () => {
  expect(imagePurl('docker.io/library/redis:7', 'linux/amd64')).toBe('pkg:docker/redis@7?platform=linux%2Famd64');
  expect(imagePurl('127.0.0.1:5000/team/app:1', 'linux/arm64')).toBe(
    'pkg:docker/127.0.0.1:5000/team/app@1?platform=linux%2Farm64',
  );
});

test('a bill of materials names the image, and each package once', () => {
  const found = {
    packages: [
      { name: 'a', version: '1', purl: 'pkg:deb/debian/a@1', supplier: 'Some <s@example.com>', homepage: 'nowhere' },
    ],
    system: 'debian-12',
    unread: [],
  };
  const digest = `sha256:${'a'.repeat(64)}`;
  const { predicate } = sbomOf({ name: 'x', purl: 'pkg:docker/x', digest, created: '2026-01-01T00:00:00.123Z', found });
  expect(predicate).toMatchObject({
    creationInfo: { created: '2026-01-01T00:00:00Z' },
    packages: [{ SPDXID: 'SPDXRef-image' }, { name: 'a', supplier: 'Organization: Some (s@example.com)' }],
    relationships: [{ relationshipType: 'DESCRIBES' }, { relationshipType: 'CONTAINS' }],
  });
  expect(JSON.stringify(predicate)).not.toContain('nowhere');
});
