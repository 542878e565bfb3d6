/** Images of several platforms: built, kept and pushed as an OCI index, and built upon. */
import { expect, test } from 'vitest';
import { registries } from './harness/registries.ts';
import { expectError, scenario } from './harness/scenario.ts';

const world = scenario();
const { serve } = registries(world);

const crossed = `FROM --platform=$BUILDPLATFORM busybox:1 AS made
ARG BUILDPLATFORM TARGETPLATFORM TARGETARCH
RUN echo made for $TARGETPLATFORM; echo $TARGETARCH > /arch
FROM scratch
COPY --from=made /arch /arch
COPY compose.yaml /
WORKDIR /srv
`;

interface Listed {
  mediaType: string;
  manifests: { digest: string; platform: { os: string; architecture: string } }[];
}

const service = (image: string, text: string, more: object = {}) => ({
  services: { web: { image, build: { context: '.', dockerfile_inline: text.replaceAll('$', '$$$$'), ...more } } },
});
const both = { platforms: ['linux/amd64', 'linux/arm64'] };

test('one image for each platform, under one index, which a registry gets whole', async () => {
  await serve('127.0.0.1:5055');
  const image = '127.0.0.1:5055/team/multi:1';
  const stack = world.project('multi', service(image, crossed, both));
  const built = await stack.stack(['build', '--push']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  expect(built.stderr).toMatch(/^#\d+ made for linux\/amd64/m);
  expect(built.stderr).toMatch(/^#\d+ made for linux\/arm64/m);

  const here = JSON.parse(
    await world.host.read(`skopeo inspect --raw oci:${world.host.root}/images:${image}`),
  ) as Listed;
  expect(here.mediaType).toBe('application/vnd.oci.image.index.v1+json');
  expect(here.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
  const there = await world.host.read(`skopeo inspect --raw --tls-verify=false docker://${image}`);
  expect(JSON.parse(there)).toEqual(here);
  const config = (architecture: string) =>
    `skopeo inspect --config --tls-verify=false --override-arch ${architecture} docker://${image}`;
  for (const architecture of ['amd64', 'arm64']) {
    expect(JSON.parse(await world.host.read(config(architecture)))).toMatchObject({ architecture, os: 'linux' });
  }

  // It survives a clean-up, is listed once, and is the image of this machine.
  await world.host.stack(['image', 'prune', '-f']);
  const listed = (await world.host.stack(['image', 'ls', '--format', 'json'])).stdout;
  expect(listed.match(/team\/multi/g), listed).toHaveLength(1);
  expect(listed).not.toMatch(/<none>/);
  expect(await stack.stack(['push'])).toMatchObject({ code: 0 });
  const checked = await world.host.stack(['system', 'check']);
  expect(checked, checked.stdout).toMatchObject({ code: 0 });

  // On each platform's own base, from the store and from the registry alike.
  const onIt = `FROM ${image}\nCOPY compose.yaml /more\n`;
  for (const name of ['from-store', 'from-registry']) {
    const copied = world.project(name, service(`127.0.0.1:5055/team/${name}:1`, onIt, both));
    const done = await copied.stack(['build', '--push']);
    expect(done, done.stderr).toMatchObject({ code: 0 });
    for (const architecture of ['amd64', 'arm64']) {
      const to = `${world.host.folder}/${name}-${architecture}`;
      const from = `docker://127.0.0.1:5055/team/${name}:1`;
      await world.host.read(
        `skopeo --insecure-policy copy -q --src-tls-verify=false --override-arch ${architecture} ${from} oci:${to}:x`,
      );
      const layers = `cd ${to} && for b in blobs/sha256/*; do zstd -dcq $b 2>/dev/null | tar -xO arch 2>/dev/null; done`;
      expect(await world.host.read(`${layers}; true`)).toBe(architecture);
    }
    await world.host.stack(['image', 'rm', '-f', image]);
    await world.host.stack(['builder', 'prune', '-af']);
  }
  const again = await world.host.stack(['image', 'inspect', 'busybox:1']);
  expect(JSON.parse(again.stdout)[0]).toMatchObject({ Architecture: 'amd64' });
}, 120_000);

test('a step that this machine cannot run is refused, and a service for another platform than its image', async () => {
  const text = 'FROM 127.0.0.1:5055/team/multi:1\nRUN ["/arch"]\n';
  const run = world.project('foreign', service('foreign:1', text));
  const refused = await run.stack(['build', '--platform', 'linux/arm64']);
  expectError(refused, 1, /runs no programs for linux\/arm64/, /BUILDPLATFORM/, /:2/);
  const { services } = service('unfit:1', crossed, { platforms: ['linux/amd64'] });
  const unfit = world.project('unfit', { services: { web: { ...services.web, platform: 'linux/arm64' } } });
  expectError(await unfit.stack(['build']), 1, /build.platforms: linux\/arm64 is not built/);
});

test('a service of several platforms builds on another: each on its own', async () => {
  const onIt = 'FROM base\nCOPY compose.yaml /more\n';
  const base = service('base:1', crossed).services.web;
  const web = service('127.0.0.1:5055/team/joined:1', onIt, { ...both, additional_contexts: { base: 'service:base' } });
  const stack = world.project('joined', { services: { base, web: web.services.web } });
  const built = await stack.stack(['build', '--push', 'web']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  for (const architecture of ['amd64', 'arm64']) {
    const layout = `${world.host.folder}/joined-${architecture}`;
    const from = `--override-arch ${architecture} docker://127.0.0.1:5055/team/joined:1 oci:${layout}:x`;
    await world.host.read(`skopeo --insecure-policy copy -q --src-tls-verify=false ${from}`);
    const files = `cd ${layout} && for b in blobs/sha256/*; do zstd -dcq $b 2>/dev/null | tar -xO arch 2>/dev/null; done; true`;
    expect(await world.host.read(files)).toBe(architecture);
  }
  // Nothing of them is taken for what an interrupted pull left.
  await world.host.stack(['builder', 'prune', '-af']);
  const usage = await world.host.stack(['system', 'df', '-v']);
  expect(usage, usage.stdout).toMatchObject({ code: 0 });
});

test('up builds for the machine alone', async () => {
  const text = 'FROM busybox:1\nARG TARGETPLATFORM\nRUN echo "$TARGETPLATFORM" > /for\nCMD ["sleep", "1000000"]\n';
  const stack = world.project('one', service('one:1', text, both));
  await stack.ok(['up', '-d', '--build']);
  // Whatever level the processor has: the image is for every machine of its kind, as with docker.
  expect(await stack.ok(['exec', '-T', 'web', 'cat', '/for'])).toBe('linux/amd64\n');
  expect(await stack.ok(['exec', '-T', 'web', 'uname', '-m'])).toBe('x86_64\n');
});
