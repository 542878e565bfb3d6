/** Archives and the store between us, podman, buildah, skopeo and umoci; and those of docker, in both its forms. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { type MadeImage, makeImage } from './fixtures/image.ts';
import { type Entry, tar } from './fixtures/tar.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { fsck } from './fsck.ts';
import { createImages, type Images } from './images.ts';
import { type ArchiveFormat, save } from './save.ts';

const kernel = loadKernel();
const isThere = (tool: string) => (process.env.PATH ?? '').split(':').some((dir) => fs.existsSync(join(dir, tool)));
const missing = ['podman', 'buildah', 'skopeo', 'umoci'].filter((tool) => !isThere(tool));
if (missing.length > 0) console.log(`skipped: interop test of archives, not found: ${missing.join(', ')}`);

let world: World;
let images: Images;
beforeEach(() => {
  world = makeWorld(kernel);
  images = createImages(world.host);
});
afterEach(() => world[Symbol.dispose]());

function run(command: string, ...args: string[]): string {
  const place = (name: string) => JSON.stringify(join(world.dir, name));
  const storage = `[storage]\ndriver = "vfs"\nrunroot = ${place('c-run')}\ngraphroot = ${place('c-root')}\n`;
  // Nothing of theirs outside the test's folder.
  const engine = `[engine]\nlock_type = "file"\ntmp_dir = ${place('c-tmp')}\nstatic_dir = ${place('c-static')}\n`;
  for (const [name, content] of Object.entries({ storage, engine })) fs.writeFileSync(join(world.dir, name), content);
  const env = {
    ...process.env,
    CONTAINERS_STORAGE_CONF: join(world.dir, 'storage'),
    CONTAINERS_CONF: join(world.dir, 'engine'),
  };
  return execFileSync(command, args, {
    cwd: world.dir,
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

const podman = (...args: string[]) => run('podman', '--cgroup-manager=cgroupfs', '--events-backend=none', ...args);

async function write(file: string, names: string[], format: ArchiveFormat): Promise<string> {
  const path = join(world.dir, file);
  const wanted = names.map((name) => ({ image: images.get(name), names: images.get(name).names }));
  const fd = fs.openSync(path, 'w');
  for await (const part of save(images.store, wanted, format, new AbortController().signal)) fs.writeSync(fd, part);
  fs.closeSync(fd);
  return path;
}

/** Two images with a common layer in podman's store, made by buildah; their ids. */
function build(): Record<string, string> {
  fs.writeFileSync(join(world.dir, 'one'), 'one');
  fs.writeFileSync(join(world.dir, 'two'), 'two');
  const container = run('buildah', 'from', 'scratch');
  run('buildah', 'copy', container, 'one', '/data/one');
  run('buildah', 'config', '--env', 'A=1', '--cmd', '/data/one', container);
  run('buildah', 'commit', '-q', container, 'localhost/base:1');
  const above = run('buildah', 'from', '--pull-never', 'localhost/base:1');
  run('buildah', 'copy', above, 'two', '/data/two');
  run('buildah', 'commit', '-q', above, 'localhost/app:1');
  const id = (name: string) => `sha256:${podman('image', 'inspect', '--format', '{{.Id}}', name)}`;
  return { 'localhost/base:1': id('localhost/base:1'), 'localhost/app:1': id('localhost/app:1') };
}

describe.runIf(process.getuid?.() === 0 && missing.length === 0)('archives', () => {
  test('of buildah and podman are read, and ours by podman and skopeo, with the same ids', async () => {
    const built = build();
    const names = Object.keys(built);
    run('buildah', 'push', '-q', 'localhost/app:1', 'oci-archive:buildah.tar:localhost/app:1');
    podman('save', '-q', '--multi-image-archive', '-o', 'podman.tar', ...names);
    podman('save', '-q', '--format', 'oci-archive', '-o', 'podman-oci.tar', 'localhost/base:1');
    podman('save', '-q', '--format', 'oci-dir', '-o', 'podman-dir', 'localhost/app:1');
    for (const [file, count] of Object.entries({
      'buildah.tar': 1,
      'podman-oci.tar': 1,
      'podman-dir': 1,
      'podman.tar': 2,
    })) {
      const loaded = await images.load(join(world.dir, file));
      expect(loaded, file).toHaveLength(count);
      for (const { id, names: given } of loaded) {
        // In a folder podman gives a name without what tells it from a bare tag.
        if (file !== 'podman-dir')
          expect(
            given.map((name) => built[name]),
            file,
          ).toEqual([id]);
        else expect(id).toBe(built['localhost/app:1']);
      }
    }
    expect(await fsck(images.store, world.host.layout)).toEqual([]);

    podman('rmi', '-a', '-f');
    await write('both.tar', names, 'docker-archive');
    podman('load', '-q', '-i', 'both.tar');
    for (const name of names)
      expect(`sha256:${podman('image', 'inspect', '--format', '{{.Id}}', name)}`).toBe(built[name]);
    podman('rmi', '-a', '-f');
    await write('one.tar', ['localhost/app:1'], 'oci-archive');
    podman('load', '-q', '-i', 'one.tar');
    expect(`sha256:${podman('image', 'inspect', '--format', '{{.Id}}', 'localhost/app:1')}`).toBe(
      built['localhost/app:1'],
    );

    const { manifestDigest, manifest } = images.inspect('localhost/app:1');
    const seen = JSON.parse(run('skopeo', 'inspect', 'oci-archive:one.tar'));
    expect(seen.Digest).toBe(manifestDigest);
    expect(seen.Layers).toEqual(manifest.layers.map(({ digest }) => digest));
    const config = JSON.parse(run('skopeo', 'inspect', '--config', 'docker-archive:both.tar:localhost/base:1'));
    expect(config).toEqual(images.get('localhost/base:1').config);
    run('skopeo', 'copy', '-q', 'docker-archive:both.tar:localhost/app:1', 'dir:skopeo');
    // The store as it lies, and what another tool puts there.
    run('umoci', 'unpack', '--image', `${world.host.layout.images}:localhost/app:1`, 'bundle');
    expect(fs.readdirSync(join(world.dir, 'bundle/rootfs/data')).sort()).toEqual(['one', 'two']);
  }, 120_000);

  test('a round trip through skopeo keeps the digests of manifest and layers', async () => {
    build();
    podman('save', '-q', '--format', 'oci-archive', '-o', 'first.tar', 'localhost/app:1');
    const [first] = await images.load(join(world.dir, 'first.tar'));
    podman('rmi', '-a', '-f');
    await write('second.tar', ['localhost/app:1'], 'oci-archive');
    run('skopeo', 'copy', '-q', '--preserve-digests', 'oci-archive:second.tar', 'oci:third:localhost/app:1');
    using other = makeWorld(kernel);
    const [again] = await createImages(other.host).load(join(world.dir, 'third'));
    expect(again).toMatchObject({ id: first!.id, manifestDigest: first!.manifestDigest, names: first!.names });
  }, 120_000);
});

/** As docker 25 and later write it: an OCI layout and manifest.json in one, layers plain. */
function docker25(made: { image: MadeImage; tags: string[] }[]): Buffer {
  const blobs = new Map<string, Buffer>();
  const name = (digest: string) => `blobs/${digest.replace(':', '/')}`;
  for (const { image } of made) for (const [digest, blob] of image.blobs) blobs.set(name(digest), blob);
  const manifests = made.flatMap(({ image: { manifest }, tags }) => {
    const { digest, size, mediaType } = manifest;
    const annotations = (tag: string) => ({
      'io.containerd.image.name': `docker.io/library/${tag}`,
      'org.opencontainers.image.ref.name': tag.replace(/.*:/, ''),
    });
    return tags.length > 0
      ? tags.map((tag) => ({ mediaType, digest, size, annotations: annotations(tag) }))
      : [{ mediaType, digest, size }];
  });
  const list = made.map(({ image, tags }) => ({
    Config: name(image.config.digest),
    RepoTags: tags.length > 0 ? tags : null,
    Layers: image.layers.map(({ digest }) => name(digest)),
    LayerSources: {},
  }));
  return tar([
    { name: 'blobs/' },
    { name: 'blobs/sha256/' },
    ...[...blobs].map(([path, content]): Entry => ({ name: path, content })),
    { name: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests }) },
    { name: 'manifest.json', content: JSON.stringify(list) },
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'repositories', content: '{}' },
  ]);
}

/** As docker up to 24 wrote it: a folder a layer, with a link where another image of the archive has the same. */
function docker24(made: { image: MadeImage; tags: string[] }[]): Buffer {
  const entries: Entry[] = [];
  const folders = new Map<string, string>();
  const list = made.map(({ image, tags }, number) => {
    const config = `${image.config.digest.slice(7)}.json`;
    entries.push({ name: config, content: image.config.content });
    const layers = image.layers.map(({ diffId, plain }, at) => {
      const folder = `${number}${at}`.padStart(64, 'a');
      const known = folders.get(diffId);
      if (!known) folders.set(diffId, folder);
      entries.push({ name: `${folder}/` }, { name: `${folder}/VERSION`, content: '1.0' });
      entries.push({ name: `${folder}/json`, content: '{}' });
      if (known) entries.push({ name: `${folder}/layer.tar`, type: '2', linkName: `../${known}/layer.tar` });
      else entries.push({ name: `${folder}/layer.tar`, content: plain });
      return `${folder}/layer.tar`;
    });
    return { Config: config, RepoTags: tags, Layers: layers };
  });
  return tar([
    ...entries,
    { name: 'manifest.json', content: JSON.stringify(list) },
    { name: 'repositories', content: '{}' },
  ]);
}

describe.runIf(process.getuid?.() === 0)("docker's archives", () => {
  const lower = [{ name: 'a', content: 'a' }];
  const one = makeImage([lower, [{ name: 'b', content: 'b' }]], { compression: 'none' });
  const two = makeImage([lower, [{ name: 'c', content: 'c' }]], { compression: 'none' });

  test.each([
    ['docker 26', docker25],
    ['docker 24', docker24],
  ])('%s: two images, one with two names, plain and compressed', async (_, form) => {
    const archive = form([
      { image: one, tags: ['one:1', 'one:latest'] },
      { image: two, tags: ['two:1'] },
    ]);
    for (const content of [archive, gzipSync(archive)]) {
      fs.writeFileSync(join(world.dir, 'x.tar'), content);
      await images.load(join(world.dir, 'x.tar'));
      expect(images.list()).toMatchObject([
        { id: one.config.digest, names: ['docker.io/library/one:1', 'docker.io/library/one:latest'] },
        { id: two.config.digest, names: ['docker.io/library/two:1'] },
      ]);
    }
    expect(await fsck(images.store, world.host.layout)).toEqual([]);
  });

  test('docker 26: an image without a name', async () => {
    fs.writeFileSync(join(world.dir, 'x.tar'), docker25([{ image: one, tags: [] }]));
    await images.load(join(world.dir, 'x.tar'));
    expect(images.list()).toMatchObject([{ id: one.config.digest, names: [] }]);
  });
});
