/** What is attested of an image: where it comes from and what is in it, in its index. */
import { expect, test } from 'vitest';
import { registries } from './harness/registries.ts';
import { expectError, scenario } from './harness/scenario.ts';

const world = scenario();
const { serve } = registries(world);
const image = '127.0.0.1:5057/team/attested:1';

const dpkg = `Package: libfoo1
Status: install ok installed
Architecture: amd64
Version: 1:2.3-4+b1
Maintainer: Some One <one@example.com>
Description: first line
 Version: 9

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: all
`;
const text = `FROM busybox:1
ARG TOKEN
RUN mkdir -p /var/lib/dpkg /var/lib/elsewhere && printf 'ID=debian\\nVERSION_ID="12"\\n' > /etc/os-release
COPY status /var/lib/elsewhere/status
RUN ln -s ../../lib/elsewhere/status /var/lib/dpkg/status
`;

function attested(name: string, more: object = {}, dockerfile = text) {
  const build = {
    context: '.',
    dockerfile_inline: dockerfile,
    args: { TOKEN: 'hidden-value', SOURCE_DATE_EPOCH: '1700000000' },
    ...more,
  };
  const stack = world.project(name, { services: { web: { image, build } } });
  stack.write('status', dpkg);
  return stack;
}

interface Entry {
  digest: string;
  annotations?: Record<string, string>;
  platform?: { architecture: string };
}

async function document<T>(place: string): Promise<T> {
  return JSON.parse(await world.host.read(`skopeo inspect --raw --tls-verify=false docker://${place}`)) as T;
}

/** The statements of the only image of the index at the registry. */
async function statements() {
  const { manifests } = await document<{ manifests: Entry[] }>(image);
  const [built, about] = manifests as [Entry, Entry];
  expect(about).toMatchObject({
    platform: { architecture: 'unknown', os: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': built.digest,
    },
  });
  const repository = image.replace(/:1$/, '');
  const manifest = await document<{ layers: Entry[]; subject: Entry }>(`${repository}@${about.digest}`);
  expect(manifest.subject.digest).toBe(built.digest);
  const found: Record<string, { subject: object[]; predicate: unknown }> = {};
  for (const layer of manifest.layers) {
    const type = layer.annotations!['in-toto.io/predicate-type']!;
    const { body } = await world.host.request(`http://127.0.0.1:5057/v2/team/attested/blobs/${layer.digest}`);
    const statement = JSON.parse(body!);
    expect(statement).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: type,
      subject: [{ digest: { sha256: built.digest.slice(7) } }],
    });
    found[type] = statement;
  }
  return { manifests, found, names: manifest.layers.map((layer) => layer.annotations!['in-toto.io/predicate-type']) };
}

test('provenance and a bill of materials lie beside the image, and are the same each time', async () => {
  await serve('127.0.0.1:5057');
  const stack = attested('attested', { provenance: true, sbom: true });
  const built = await stack.stack(['build', '--push']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  const { manifests, found, names } = await statements();
  expect(names).toEqual(['https://spdx.dev/Document', 'https://slsa.dev/provenance/v1']);

  const bill = found['https://spdx.dev/Document']!.predicate as { packages: { name: string; versionInfo: string }[] };
  expect(bill).toMatchObject({ spdxVersion: 'SPDX-2.3', creationInfo: { created: '2023-11-14T22:13:20Z' } });
  const packages = bill.packages.map(({ name, versionInfo }) => `${name} ${versionInfo}`).slice(1);
  expect(packages).toEqual(['libfoo1 1:2.3-4+b1']);
  expect(JSON.stringify(bill)).toContain('pkg:deb/debian/libfoo1@1:2.3-4%2Bb1?arch=amd64&distro=debian-12');

  const provenance = JSON.stringify(found['https://slsa.dev/provenance/v1']!.predicate);
  expect(JSON.parse(provenance)).toMatchObject({
    buildDefinition: {
      externalParameters: { request: { frontend: 'dockerfile.v0', args: { 'build-arg:TOKEN': 'hidden-value' } } },
      internalParameters: { builderPlatform: 'linux/amd64' },
      resolvedDependencies: [
        { uri: 'pkg:docker/busybox@1?platform=linux%2Famd64', digest: { sha256: expect.any(String) } },
      ],
    },
    runDetails: { metadata: { startedOn: '2023-11-14T22:13:20.000Z', stack_hermetic: false } },
  });
  expect(provenance).not.toContain(world.host.folder);

  // It runs, and a build anew is the same index.
  expect(await stack.stack(['run', '--rm', '-T', 'web', 'true'])).toMatchObject({ code: 0 });
  await stack.ok(['down', '--rmi', 'all']);
  await world.host.stack(['builder', 'prune', '-af']);
  await stack.ok(['build', '--push']);
  const again = await statements();
  expect(again.found).toEqual(found);
  expect(again.manifests).toEqual(manifests);
  const checked = await world.host.stack(['system', 'check']);
  expect(checked, checked.stdout).toMatchObject({ code: 0 });
}, 60_000);

test('mode=min tells no values; flags win; v0.2', async () => {
  const stack = attested('least', { provenance: 'mode=min,version=v0.2', sbom: true });
  await stack.ok(['build', '--push', '--sbom=false']);
  const { found, names } = await statements();
  expect(names).toEqual(['https://slsa.dev/provenance/v0.2']);
  const shown = JSON.stringify(found[names[0]!]);
  expect(shown).not.toMatch(/hidden-value/);
  expect(shown).not.toMatch(/mkdir/);
  expect(JSON.parse(shown)).toMatchObject({
    predicate: { metadata: { buildStartedOn: '2023-11-14T22:13:20.000Z' }, materials: [{ uri: expect.any(String) }] },
  });
});

test('what cannot be attested is refused, and an image that plays tricks tells nothing of the machine', async () => {
  const other = attested('other', { sbom: 'generator=some/scanner' });
  expectError(await other.stack(['build']), 1, /generator some\/scanner is not run/);
  expectError(await attested('what', { provenance: 'mode=most' }).stack(['build']), 1, /mode is min or max/);
  const rpm = attested(
    'rpm',
    { sbom: true },
    'FROM busybox:1\nRUN mkdir -p /var/lib/rpm; touch /var/lib/rpm/rpmdb.sqlite\n',
  );
  expectError(await rpm.stack(['build']), 1, /database of rpm/);
  const out =
    'FROM busybox:1\nRUN mkdir -p /var/lib/dpkg /lib/apk/db; ln -s /proc/1/root/var/lib/dpkg/status /var/lib/dpkg/status; mkfifo /lib/apk/db/installed\n';
  const hostile = attested('hostile', { sbom: true }, out);
  const built = await hostile.stack(['build', '--push']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  expect(built.stderr).toMatch(/warning: sbom: .*has no package/);
  const bill = (await statements()).found['https://spdx.dev/Document']!.predicate as { packages: object[] };
  expect(bill.packages).toHaveLength(1);
});
