/**
 * Base images made from Debian packages, served by a real registry, for machines that cannot reach Docker Hub.
 * The first run takes minutes, a run with everything in place milliseconds.
 * Usage: node scripts/base-images/base-images.ts
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, openAsBlob, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildLayer, type Layer } from './layer.ts';
import { fetchPackages, packagesAreThere } from './packages.ts';
import { type Places, places } from './places.ts';
import { type Recipe, recipes } from './recipes.ts';
import { pushBlob, pushManifest, startRegistry } from './registry.ts';
import { ensurePackages, ensureRegistryBinary, type Say } from './tools.ts';

interface Built {
  hash: string;
  layers: Layer[];
}

const types = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
};
const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

function built(at: Places, recipe: Recipe): Built | undefined {
  if (!existsSync(at.marker(recipe.name))) return undefined;
  const known = JSON.parse(readFileSync(at.marker(recipe.name), 'utf8')) as Built;
  return known.hash === recipe.hash ? known : undefined;
}

async function push(url: string, recipe: Recipe, layers: Layer[]): Promise<void> {
  const type = types[recipe.format];
  const created = new Date().toISOString();
  const config = JSON.stringify({
    created,
    architecture,
    os: 'linux',
    config: recipe.config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created, created_by: `scripts/base-images/${recipe.name}` })),
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: type.manifest,
    config: { mediaType: type.config, digest: sha256(config), size: config.length },
    layers: layers.map(({ digest, size }) => ({ mediaType: type.layer, digest, size })),
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: type.index,
    manifests: [
      {
        mediaType: type.manifest,
        digest: sha256(manifest),
        size: manifest.length,
        platform: { architecture, os: 'linux' },
      },
    ],
  });
  for (const tag of recipe.tags) {
    const [repository, reference] = tag.split(':') as [string, string];
    for (const layer of layers) {
      await pushBlob(url, repository, layer.digest, () => openAsBlob(layer.file), layer.repository);
    }
    await pushBlob(url, repository, sha256(config), async () => Buffer.from(config));
    await pushManifest(url, repository, sha256(manifest), type.manifest, manifest);
    await pushManifest(url, repository, reference, type.index, index);
  }
}

async function buildMissing(at: Places, say: Say): Promise<void> {
  ensurePackages({ mmdebstrap: 'mmdebstrap', busybox: 'busybox-static', unshare: 'util-linux' }, say);
  ensureRegistryBinary(at, say);
  fetchPackages(at, say);
  mkdirSync(join(at.root, 'images'), { recursive: true });
  const registry = await startRegistry(at);
  const done = new Map<string, Built>();
  try {
    for (const recipe of recipes()) {
      let image = built(at, recipe);
      if (!image) {
        say(`building ${recipe.tags[0]} from Debian packages`);
        const began = Date.now();
        const below = recipe.from ? done.get(recipe.from)!.layers : [];
        const layer = await buildLayer(at, recipe, recipe.from && join(at.trees, recipe.from));
        layer.repository = recipe.tags[0]!.split(':')[0]!;
        image = { hash: recipe.hash, layers: [...below, layer] };
        await push(registry.url, recipe, image.layers);
        writeFileSync(`${at.marker(recipe.name)}.new`, JSON.stringify(image));
        renameSync(`${at.marker(recipe.name)}.new`, at.marker(recipe.name));
        say(
          `built ${recipe.tags[0]}: ${Math.round(layer.size / 1e6)} MB in ${Math.round((Date.now() - began) / 1000)} s`,
        );
      }
      done.set(recipe.name, image);
    }
  } finally {
    await registry.stop();
    rmSync(join(at.root, 'work'), { recursive: true, force: true });
  }
}

/** Builds what is missing or was made from another recipe. One build at a time for each cache folder. */
export function ensureBaseImages(at: Places = places()): Places {
  const isWhole = existsSync(at.registryBinary) && packagesAreThere(at);
  if (isWhole && recipes().every((recipe) => built(at, recipe))) return at;
  mkdirSync(at.root, { recursive: true });
  const args = [join(at.root, 'lock'), process.execPath, fileURLToPath(import.meta.url)];
  const run = spawnSync('flock', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (run.status !== 0) throw new Error('The base images could not be built; the reason is above.');
  return at;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = places();
  mkdirSync(dirname(at.marker('any')), { recursive: true });
  const say: Say = (line) => console.log(`base images: ${line}`);
  await buildMissing(at, say).catch((error: Error) => {
    console.error(`base images: ${error.message}`);
    process.exit(1);
  });
  say(`ready in ${at.root}`);
}
