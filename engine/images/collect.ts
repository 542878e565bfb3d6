/** Reference counting: what no image, container, cached build step or command at work needs is taken out of the store. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Descriptor, Index, Manifest } from '../../schemas/oci-image.ts';
import type { Layout } from '../state/layout.ts';
import { indexOf } from './beside.ts';
import { cachedLayers } from './build-cache.ts';
import { measure } from './measure.ts';
import { partials } from './partial.ts';
import type { ImageRecord } from './records.ts';
import type { Store } from './store.ts';
import { imageUsers, type Users } from './users.ts';

/** Who needs what, at one moment at which nobody can begin to need more. */
export interface Uses {
  /** Digests commands at work keep. */
  leased: Set<string>;
  users: Users;
}

export interface Collected {
  /** Ids of the images and `sha256:` + chain ids of the layers that are gone. */
  deleted: string[];
  /** Bytes of disk that are free now. */
  bytes: number;
}

/**
 * Lets `decide` answer what stays in index.json, then removes blobs, records and layers that nothing needs any more: all in
 * one moment seen from other commands. Trees are removed after it; a kill leaves them to the next command.
 * @throws whatever `decide` throws; then nothing is changed
 */
export async function collect(
  store: Store,
  layout: Layout,
  decide: (manifests: Descriptor[], uses: Uses) => Descriptor[] = (manifests) => manifests,
  signal?: AbortSignal,
): Promise<Collected> {
  store.prepare();
  const deleted: string[] = [];
  const gone: string[] = [];
  let bytes = 0;
  {
    using _ = await store.gate('exclusive', signal);
    // In this order: what a lease kept has its name or its container before the lease is given back.
    const leased = store.leased();
    const users = imageUsers(layout);
    await store.changeIndex((manifests) => decide(manifests, { leased, users }));
    const needed = neededDigests(store, leased, users, cachedLayers(store, layout));
    for (const digest of store.records.list()) {
      if (needed.has(digest)) continue;
      deleted.push(store.record(digest)?.id ?? digest);
      store.records.remove(digest);
    }
    for (const { path, digest, size } of [...blobs(store), ...partials(store)]) {
      if (needed.has(digest)) continue;
      fs.renameSync(path, join(store.root, 'ingest', randomBytes(12).toString('hex')));
      bytes += size;
    }
    for (const chain of fs.readdirSync(store.layers)) {
      if (chain.startsWith('.') || needed.has(`sha256:${chain}`)) continue;
      const away = join(store.layers, `.gone-${randomBytes(8).toString('hex')}`);
      fs.renameSync(store.layer(chain), away);
      gone.push(away);
      deleted.push(`sha256:${chain}`);
    }
    for (const name of fs.readdirSync(join(store.root, 'locks'))) {
      // Whoever takes a layer's lock keeps the layer by a lease.
      const isIdle = name.length === 64 && !needed.has(`sha256:${name}`);
      if (isIdle) fs.rmSync(join(store.root, 'locks', name), { force: true });
    }
  }
  for (const path of gone) bytes += measure(join(path, 'fs'));
  store.sweep();
  return { deleted, bytes };
}

/**
 * Digests of blobs and `sha256:` + chain ids of layers that images, commands at work, containers and the build cache need.
 * @param cached what the build cache needs; empty leaves it out of account.
 */
export function neededDigests(store: Store, leased: Set<string>, users: Users, cached: Set<string>): Set<string> {
  const needed = new Set([...leased, ...cached]);
  const images = [...store.index().manifests.map(({ digest }) => digest), ...leased, ...users.keys()];
  for (const digest of images) {
    needed.add(digest);
    const record = store.record(digest);
    for (const blob of record?.blobs ?? blobsOf(store, digest)) needed.add(blob);
    for (const layer of layersOf(record)) needed.add(layer);
  }
  for (const entry of store.index().manifests) for (const digest of besideDigests(store, entry)) needed.add(digest);
  return needed;
}

/** Digests of the index a name stands for, of the blobs it leads to, and `sha256:` + chain ids of the layers of its images. */
export function besideDigests(store: Store, entry: Descriptor): string[] {
  const index = indexOf(entry);
  if (index === undefined) return [];
  const parts = blobsOf(store, index);
  return [index, ...parts, ...parts.flatMap((part) => layersOf(store.record(part)))];
}

export function layersOf(record: ImageRecord | undefined): string[] {
  return (record?.chain ?? []).map((chain) => `sha256:${chain}`);
}

/** Digests of the blobs a manifest or index names, for entries that other tools wrote; none where it is missing. */
function blobsOf(store: Store, digest: string): string[] {
  const path = store.blob(digest);
  // A layer is no document: it is not read to find that out.
  if ((fs.statSync(path, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY) > 16 * 1024 * 1024) return [];
  let document: Partial<Manifest & Index>;
  try {
    document = JSON.parse(fs.readFileSync(path, 'utf8')) as Partial<Manifest & Index>;
  } catch {
    return [];
  }
  const { config, layers, manifests } = document;
  const named = [config, ...(Array.isArray(layers) ? layers : []), ...(Array.isArray(manifests) ? manifests : [])];
  const direct = named.flatMap((each) => (typeof each?.digest === 'string' ? [each.digest] : []));
  const inner = Array.isArray(manifests) ? manifests : [];
  return [...direct, ...inner.flatMap((each) => (each.digest === digest ? [] : blobsOf(store, each.digest)))];
}

export function* blobs(store: Store): Generator<{ path: string; digest: string; size: number }> {
  const root = join(store.root, 'blobs');
  for (const algorithm of fs.readdirSync(root)) {
    for (const hex of fs.readdirSync(join(root, algorithm))) {
      const path = join(root, algorithm, hex);
      const stat = fs.lstatSync(path, { throwIfNoEntry: false });
      if (stat) yield { path, digest: `${algorithm}:${hex}`, size: stat.size };
    }
  }
}
