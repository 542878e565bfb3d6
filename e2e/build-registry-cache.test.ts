/** Steps handed from machine to machine by a registry: `cache_to` and `cache_from` of type=registry and type=inline. */
import { expect, test } from 'vitest';
import { registries } from './harness/registries.ts';
import { expectError, scenario } from './harness/scenario.ts';

const world = scenario();
const { serve } = registries(world);

const text = `FROM busybox:1 AS one
RUN echo ran one; echo 1 > /one
FROM busybox:1
COPY --from=one /one /two
RUN echo ran two; echo 2 >> /two
CMD ["cat", "/two"]
`;
const place = '127.0.0.1:5056/team';

const demo = (name: string, build: object, image = `${name}:1`) => {
  const section = { context: '.', dockerfile_inline: text, ...build };
  return world.project(name, { services: { web: { image, build: section } } });
};
const forget = async (...images: string[]) => {
  for (const image of images) await world.host.stack(['image', 'rm', '-f', image]);
  await world.host.stack(['image', 'prune', '-af']);
  await world.host.stack(['builder', 'prune', '-af']);
};

test('a cache of its own at a registry, which is valid OCI', async () => {
  await serve('127.0.0.1:5056');
  const ref = `${place}/cache:1`;
  const first = await demo('first', { cache_to: [`type=registry,ref=${ref},mode=max`] }).stack(['build']);
  expect(first, first.stderr).toMatchObject({ code: 0 });
  const raw = await world.host.read(`skopeo inspect --raw --tls-verify=false docker://${ref}`);
  expect(JSON.parse(raw)).toMatchObject({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: 'application/vnd.stack.build.cache.v1',
    config: { mediaType: 'application/vnd.stack.build.cache.config.v1+json' },
    layers: [1, 2, 3].map(() => ({
      mediaType: expect.stringMatching(/^application\/vnd\.oci\.image\.layer\.v1\.tar\+/),
    })),
  });

  await forget('first:1');
  const from = { cache_from: [`type=registry,ref=${ref}`] };
  const second = await demo('second', from).stack(['build']);
  expect(second, second.stderr).toMatchObject({ code: 0 });
  expect(second.stderr).not.toMatch(/^#\d+ ran /m);
  expect(second.stderr.match(/CACHED/g)).toHaveLength(3);
  expect(await demo('second', from).ok(['run', '--rm', '-T', 'web'])).toBe('1\n2\n');
  await world.host.stack(['-p', 'second', 'down']);

  // mode=min: the steps of the image alone; the short form of cache_from.
  await forget('second:1');
  const least = await demo('least', { cache_to: [`type=registry,ref=${place}/least`] }).stack(['build']);
  expect(least, least.stderr).toMatchObject({ code: 0 });
  await forget('least:1');
  const third = await demo('third', { cache_from: [`${place}/least`] }).stack(['build']);
  expect(third.stderr.match(/^#\d+ ran \w+$/gm)?.map((line) => line.replace(/^#\d+ /, ''))).toEqual(['ran one']);
  await forget('third:1');
}, 60_000);

test('a cache in the image itself', async () => {
  const image = `${place}/app:1`;
  const inline = { cache_to: ['type=inline'] };
  const pushed = await demo('inline', inline, image).stack(['build', '--push']);
  expect(pushed, pushed.stderr).toMatchObject({ code: 0 });
  await forget(image);
  const built = await demo('again', { cache_from: [image] }).stack(['build']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  expect(built.stderr).toMatch(/^#\d+ ran one$/m);
  expect(built.stderr).not.toMatch(/^#\d+ ran two$/m);
  // What is built on it without asking for one has no cache of its own.
  const on = world.project('on', {
    services: { web: { image: 'on:1', build: { context: '.', dockerfile_inline: `FROM ${image}\nENV A=1\n` } } },
  });
  await on.ok(['build']);
  await world.host.stack(['image', 'save', '-o', `${world.host.folder}/on.tar`, 'on:1']);
  expect(await world.host.read(`tar -xOf ${world.host.folder}/on.tar | grep -ac stack.build.cache; true`)).toBe('0');
  await forget(image, 'again:1', 'on:1');
}, 60_000);

test('a cache that is not there is told once; one that cannot be written fails, unless errors do not count', async () => {
  const none = await demo('none', { cache_from: [`${place}/none`, '127.0.0.1:5999/none'] }).stack(['build']);
  expect(none, none.stderr).toMatchObject({ code: 0 });
  expect(none.stderr.match(/warning: .*build cache .*5056\/team\/none/g)).toHaveLength(1);
  expect(none.stderr.match(/warning: .*build cache .*5999\/none/g)).toHaveLength(1);
  const to = 'type=registry,ref=127.0.0.1:5999/none';
  expectError(await demo('lost', { cache_to: [to] }).stack(['build']), 1, /build cache 127\.0\.0\.1:5999\/none/);
  const ignored = await demo('lost', { cache_to: [`${to},ignore-error=true`] }).stack(['build']);
  expect(ignored, ignored.stderr).toMatchObject({ code: 0 });
  expect(ignored.stderr).toMatch(/warning: .*build cache 127\.0\.0\.1:5999\/none/);
  await forget('none:1', 'lost:1');
}, 60_000);

test('a hostile cache gives no layer that is not what it says, and does not touch those that are here', async () => {
  const ref = `${place}/hostile:1`;
  const image = 'victim:1';
  const victim = demo('victim', { cache_to: [`type=registry,ref=${ref},mode=max`] }, image);
  await victim.ok(['build']);
  const layout = `${world.host.folder}/hostile`;
  const skopeo = 'skopeo --insecure-policy copy -q';
  await world.host.read(`${skopeo} --src-tls-verify=false docker://${ref} oci:${layout}:x`);
  // Every layer another one, each under its true digest.
  const swap = `
    const fs = require('node:fs'), { createHash } = require('node:crypto'), { execFileSync } = require('node:child_process');
    const [layout, version] = process.argv.slice(1);
    const path = (digest) => layout + '/blobs/sha256/' + digest.slice(7);
    const put = (content) => {
      const digest = 'sha256:' + createHash('sha256').update(content).digest('hex');
      fs.writeFileSync(path(digest), content);
      return { digest, size: content.length };
    };
    const index = JSON.parse(fs.readFileSync(layout + '/index.json'));
    const manifest = JSON.parse(fs.readFileSync(path(index.manifests[0].digest)));
    fs.writeFileSync('/var/tmp/evil-' + process.pid, 'evil');
    const evil = put(execFileSync('sh', ['-c', 'tar -C /var/tmp -cf - evil-' + process.pid + ' | zstd -qc']));
    fs.rmSync('/var/tmp/evil-' + process.pid);
    if (version === '1') manifest.layers = manifest.layers.map((layer) => ({ ...layer, ...evil }));
    const config = { ...JSON.parse(fs.readFileSync(path(manifest.config.digest))), version: Number(version) };
    manifest.config = { ...manifest.config, ...put(Buffer.from(JSON.stringify(config))) };
    index.manifests[0] = { ...index.manifests[0], ...put(Buffer.from(JSON.stringify(manifest))) };
    fs.writeFileSync(layout + '/index.json', JSON.stringify(index));
  `;
  const poison = async (version: number) => {
    await world.host.read(`${process.execPath} -e "$SWAP" ${layout} ${version}`, { env: { SWAP: swap } });
    await world.host.read(`${skopeo} --dest-tls-verify=false oci:${layout}:x docker://${ref}`);
  };
  await poison(1);

  // The layers are here, what builds remember of them is not.
  await world.host.read(`rm -r ${world.host.root}/build/steps ${world.host.root}/build/blobs`);
  const from = { cache_from: [`type=registry,ref=${ref}`] };
  await demo('beside', from, 'beside:1').ok(['build']);
  const saved = `${world.host.folder}/beside`;
  await world.host.read(`mkdir ${saved}`);
  await world.host.stack(['image', 'save', '-o', `${saved}.tar`, 'beside:1']);
  const sound = `cd ${saved} && tar xf ../beside.tar && for b in blobs/sha256/*; do zstd -dqc $b 2>/dev/null | sha256sum; done`;
  const digests = await world.host.read(sound);
  const [inspected] = JSON.parse((await world.host.stack(['image', 'inspect', 'beside:1'])).stdout);
  for (const diffId of inspected.RootFS.Layers.slice(1)) expect(digests).toContain(diffId.slice('sha256:'.length));

  // Nothing is here: each step is run, with a warning.
  await forget(image, 'beside:1');
  const built = await demo('third', from).stack(['build']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  expect(built.stderr.match(/^#\d+ ran (?:one|two)$/gm)).toHaveLength(2);
  expect(built.stderr).toMatch(/warning: .*hostile:1 has a damaged step/);
  expect(await demo('third', from).ok(['run', '--rm', '-T', 'web'])).toBe('1\n2\n');
  await world.host.stack(['-p', 'third', 'down']);

  await poison(2);
  await forget('third:1');
  const newer = await demo('newer', from).stack(['build']);
  expect(newer, newer.stderr).toMatchObject({ code: 0 });
  expect(newer.stderr).toMatch(/warning: .*hostile:1 is not used: it is of version 2/);
  await forget('newer:1');
}, 90_000);
