/** Whether the store is what it says: every reference resolvable, each blob its digest, each chain its layer, no left-overs. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Descriptor, Index, Manifest } from '../../schemas/oci-image.ts';
import type { Layout } from '../state/layout.ts';
import { indexOf } from './beside.ts';
import { digestOfFile } from './blob.ts';
import { cachedSteps } from './build-cache.ts';
import { blobs, collect, layersOf, neededDigests } from './collect.ts';
import { chainIds } from './layer.ts';
import { partials } from './partial.ts';
import type { Store } from './store.ts';
import { imageUsers } from './users.ts';

export interface Problem {
  kind:
    | 'blob-missing'
    | 'blob-damaged'
    | 'document'
    | 'layer-missing'
    | 'layer-unfinished'
    | 'record'
    | 'left-over'
    /** Harmless: a step is run again. */
    | 'build-cache'
    | 'unreferenced';
  /** Digest, chain id or path below the root. */
  subject: string;
  /** One sentence. */
  message: string;
  /** Names of the images, or containers, that it concerns. */
  concerns: string[];
}

export interface FsckOptions {
  /** Sizes instead of digests: does not read the blobs. */
  isQuick?: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Looks, changes nothing. Content that commands at work are adding is left out of account. What nothing refers to is no damage:
 * an interrupted pull leaves it for the next one, and `prune` removes it.
 */
export async function fsck(store: Store, layout: Layout, options: FsckOptions = {}): Promise<Problem[]> {
  store.prepare();
  const problems: Problem[] = [];
  const referenced = new Map<string, string[]>();
  const refer = (digest: string, by: string) => {
    const names = referenced.get(digest) ?? [];
    referenced.set(digest, names.includes(by) ? names : [...names, by]);
  };
  for (const entry of store.index().manifests) {
    const shown = entry.annotations?.['org.opencontainers.image.ref.name'] ?? entry.digest;
    walk(store, entry, shown, refer, problems, 0);
    const index = indexOf(entry);
    if (index !== undefined) walk(store, { ...entry, digest: index }, shown, refer, problems, 0);
    problems.push(...checkRecord(store, entry, shown));
    for (const layer of layersOf(store.record(entry.digest))) refer(layer, shown);
  }
  for (const [used, containers] of imageUsers(layout)) for (const name of containers) refer(used, name);
  for (const { chain } of cachedSteps(layout)) for (const one of chain) refer(`sha256:${one}`, 'the build cache');
  await checkBlobs(store, referenced, options, problems);
  checkLayers(store, referenced, problems);
  checkPartials(store, problems);
  problems.push(...checkBuildCache(store, layout));
  for (const path of leftOvers(store)) {
    problems.push({ kind: 'left-over', subject: path, message: 'A killed command left it.', concerns: [] });
  }
  // What others added meanwhile has come to be named since.
  const needed = neededDigests(store, store.leased(), imageUsers(layout), new Set());
  const isNamed = (subject: string) => needed.has(subject) || needed.has(`sha256:${subject}`);
  return problems.filter(({ kind, subject }) => kind !== 'unreferenced' || !isNamed(subject));
}

/**
 * Takes out what is damaged: such a blob is fetched again by the next pull of its images, a layer unpacked again; then collects.
 * Answers the problems that are left.
 */
export async function repair(store: Store, layout: Layout, problems: Problem[]): Promise<Problem[]> {
  {
    using _ = await store.gate('exclusive');
    for (const { kind, subject } of problems) {
      if (kind === 'blob-damaged') fs.rmSync(store.blob(subject), { force: true });
      if (kind === 'record') store.records.remove(subject);
      if (kind === 'build-cache') fs.rmSync(subject, { force: true });
      if (kind !== 'layer-unfinished') continue;
      // Who holds it is putting it in its place.
      using lock = store.tryLock(subject);
      if (!lock || store.hasLayer(subject) || !fs.existsSync(store.layer(subject))) continue;
      fs.renameSync(store.layer(subject), join(store.layers, `.gone-${randomBytes(8).toString('hex')}`));
    }
  }
  await collect(store, layout);
  return fsck(store, layout, { isQuick: true });
}

/** What a descriptor leads to. Documents are small: they are read whole. */
function walk(
  store: Store,
  { digest }: Descriptor,
  shown: string,
  refer: (digest: string, by: string) => void,
  problems: Problem[],
  depth: number,
): void {
  refer(digest, shown);
  let document: Partial<Manifest & Index>;
  try {
    document = JSON.parse(fs.readFileSync(store.blob(digest), 'utf8'));
  } catch (thrown) {
    // A missing one is told with the blobs.
    if (fs.existsSync(store.blob(digest))) {
      problems.push({ kind: 'document', subject: digest, message: (thrown as Error).message, concerns: [shown] });
    }
    return;
  }
  for (const each of [document.config, ...(document.layers ?? [])]) if (each) refer(each.digest, shown);
  if (depth < 4) for (const each of document.manifests ?? []) walk(store, each, shown, refer, problems, depth + 1);
}

/** The record is derived from manifest and configuration: it must say the same. */
function checkRecord(store: Store, { digest }: Descriptor, shown: string): Problem[] {
  const record = store.record(digest);
  // An image another tool put there is unpacked when it is first asked for.
  if (!record) return [];
  try {
    const manifest = store.manifest(digest);
    const config = JSON.parse(fs.readFileSync(store.blob(manifest.config.digest), 'utf8'));
    const chain = chainIds(config.rootfs.diff_ids);
    const source = record.sourceManifest ? [record.sourceManifest] : [];
    const blobs = [digest, record.id, ...manifest.layers.map((layer) => layer.digest), ...source];
    const isSame =
      record.id === manifest.config.digest &&
      record.chain.join() === chain.join() &&
      record.blobs.join() === blobs.join();
    if (isSame) return [];
    return [
      { kind: 'record', subject: digest, message: 'Its record says otherwise than its manifest.', concerns: [shown] },
    ];
  } catch {
    return []; // Told with the blobs.
  }
}

async function checkBlobs(
  store: Store,
  referenced: Map<string, string[]>,
  { isQuick, signal }: FsckOptions,
  problems: Problem[],
): Promise<void> {
  const there = new Set<string>();
  for (const { digest, path } of blobs(store)) {
    signal?.throwIfAborted();
    there.add(digest);
    const concerns = referenced.get(digest) ?? [];
    if (concerns.length === 0) {
      problems.push({ kind: 'unreferenced', subject: digest, message: 'No image has this blob.', concerns });
    }
    if (isQuick) continue;
    const got = await digestOfFile(path, digest);
    if (got !== undefined && got !== digest) {
      problems.push({ kind: 'blob-damaged', subject: digest, message: `Its content has the digest ${got}.`, concerns });
    }
  }
  for (const { digest } of store.index().manifests) {
    for (const needed of store.record(digest)?.blobs ?? [digest]) {
      if (there.has(needed) || fs.existsSync(store.blob(needed)) || problems.some(({ subject }) => subject === needed))
        continue;
      const concerns = referenced.get(needed) ?? [];
      problems.push({ kind: 'blob-missing', subject: needed, message: 'The blob is missing.', concerns });
    }
  }
}

function checkLayers(store: Store, referenced: Map<string, string[]>, problems: Problem[]): void {
  for (const { digest } of store.index().manifests) {
    for (const chain of store.record(digest)?.chain ?? []) {
      if (store.hasLayer(chain) || problems.some(({ subject }) => subject === chain)) continue;
      const concerns = referenced.get(`sha256:${chain}`) ?? [];
      problems.push({ kind: 'layer-missing', subject: chain, message: 'The layer is not unpacked.', concerns });
    }
  }
  for (const chain of fs.readdirSync(store.layers)) {
    if (chain.startsWith('.')) continue;
    const concerns = referenced.get(`sha256:${chain}`) ?? [];
    if (!store.hasLayer(chain)) {
      problems.push({ kind: 'layer-unfinished', subject: chain, message: 'It was not unpacked to its end.', concerns });
    } else if (concerns.length === 0) {
      problems.push({ kind: 'unreferenced', subject: chain, message: 'No image has this layer.', concerns });
    }
  }
}

function checkPartials(store: Store, problems: Problem[]): void {
  for (const { digest, path, size } of partials(store)) {
    if (isDigest(digest)) {
      const message = `An interrupted pull left ${size} bytes of it; the next one goes on from there.`;
      problems.push({ kind: 'unreferenced', subject: digest, message, concerns: [] });
    } else problems.push({ kind: 'left-over', subject: path, message: 'It is no part of a blob.', concerns: [] });
  }
}

function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/.test(text);
}

/** Steps whose layers are gone, and files that are no records: repairing forgets them, and the next build runs them again. */
function checkBuildCache(store: Store, layout: Layout): Problem[] {
  const folder = join(layout.build, 'steps');
  if (!fs.existsSync(folder)) return [];
  const steps = new Map(cachedSteps(layout).map((step) => [step.path, step]));
  return fs.readdirSync(folder).flatMap((name): Problem[] => {
    const path = join(folder, name);
    const step = steps.get(path);
    const isTemporary = !name.endsWith('.json');
    if (isTemporary || step?.chain.every((one) => store.hasLayer(one)) || !fs.existsSync(path)) return [];
    const message = step ? 'A step of the build cache lost a layer.' : 'A record of the build cache cannot be read.';
    return [{ kind: 'build-cache', subject: path, message, concerns: [] }];
  });
}

/** Temporary things that nobody holds locked. */
function leftOvers(store: Store): string[] {
  const places = [
    { dir: join(store.root, 'ingest'), isTemporary: () => true },
    { dir: join(store.root, 'leases'), isTemporary: () => true },
    { dir: store.layers, isTemporary: (name: string) => name.startsWith('.') },
  ];
  return places.flatMap(({ dir, isTemporary }) =>
    fs.readdirSync(dir).flatMap((name) => {
      if (!isTemporary(name)) return [];
      const path = join(dir, name);
      try {
        const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
        try {
          return store.verbs.tryFlock(fd, 'exclusive') ? [path] : [];
        } finally {
          fs.closeSync(fd);
        }
      } catch {
        return [];
      }
    }),
  );
}
