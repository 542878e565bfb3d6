/**
 * The store on disk: an OCI image layout that other tools read as it lies, plus what we derive from it.
 *
 *   images/oci-layout, index.json, blobs/sha256/<hex>   image-spec image-layout.md
 *   images/records/<manifest hex>.json, ….fresh-<boot id>  of an image, and until it is on disk (records.ts); its time of
 *                                                       modification is when the image was last used
 *   images/records/index                                index.json once more, to mend it from
 *   images/ingest/                                      content on its way in or out, each file locked by who writes it
 *   images/partial/<algorithm>-<hex>                    what a pull that was interrupted has of a blob (partial.ts)
 *   images/leases/                                      what commands at work need (leases.ts)
 *   images/reserve                                      space for a full disk: without it nothing could be taken off an index
 *   images/locks/                                       index: taken to change index.json; content: the gate of leases.ts;
 *                                                       <hex>: a layer
 *   layers/<chain hex>/fs                               an unpacked layer; layers/.new-…, .gone-…: one on its way in or out
 *   layers/<chain hex>/done, …/fresh-<boot id>          it is whole on disk; it is whole as long as the machine runs
 */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs, ProcessVerbs } from '../../schemas/kernel.ts';
import type { Descriptor, Index, Manifest, StoredImage } from '../../schemas/oci-image.ts';
import type { Host } from '../host.ts';
import { IndexFile } from './index-file.ts';
import { type Lease, Leases } from './leases.ts';
import { lock, makeLocked, sweep, tryLock } from './locks.ts';
import { doneMark, freshMark, isWholeLayer } from './marks.ts';
import { sweepPartials } from './partial.ts';
import { type ImageRecord, Records } from './records.ts';
import { makeReserve, replaceFile } from './replace-file.ts';
import { settle } from './settle.ts';

/** image-spec annotations.md; skopeo and umoci look names up by it. */
export const refName = 'org.opencontainers.image.ref.name';
/** containerd's key for the full name. */
export const imageName = 'io.containerd.image.name';
/** Ours: the digest the name had at the registry (the index's, where there is one). */
export const sourceDigest = 'dev.stack.source.digest';

export class Store {
  readonly verbs: FilesystemVerbs;
  readonly root: string;
  readonly layers: string;
  #isReady = false;
  readonly #index: IndexFile;
  readonly #leases: Leases;
  readonly #processes: ProcessVerbs;
  /** Chain ids of layers that became whole in this process. */
  readonly #fresh = new Set<string>();
  readonly records: Records;

  constructor(host: Host) {
    this.verbs = host.kernel.filesystem;
    this.#processes = host.kernel.process;
    this.root = host.layout.images;
    this.layers = host.layout.layers;
    this.#index = new IndexFile({
      root: this.root,
      lock: () => this.lock('index'),
      tryLock: () => this.tryLock('index'),
      known: () => this.records.list(),
      write: (path, content, isSynced) => this.write(path, content, isSynced),
    });
    this.records = new Records(join(this.root, 'records'), (path, content) => this.write(path, content, false));
    this.#leases = new Leases(this.verbs, join(this.root, 'leases'), () => {
      this.prepare();
      return this.gate('shared');
    });
  }

  /** Makes the directories, and clears what a run that was killed left half made. */
  prepare(): void {
    if (this.#isReady) return;
    try {
      fs.mkdirSync(dirname(this.root), { recursive: true, mode: 0o711 });
      // Layers hold images' set-user-id programs: nobody but root may reach them from the host's side.
      fs.mkdirSync(this.root, { recursive: true, mode: 0o700 });
      if (fs.mkdirSync(this.layers, { recursive: true, mode: 0o700 })) this.#spreadLayers();
      for (const dir of ['blobs/sha256', 'records', 'ingest', 'partial', 'leases', 'locks']) {
        fs.mkdirSync(join(this.root, dir), { recursive: true, mode: 0o755 });
      }
      const marker = join(this.root, 'oci-layout');
      if (!fs.existsSync(marker)) this.write(marker, JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    } catch (thrown) {
      const isFull = (thrown as NodeJS.ErrnoException).code === 'ENOSPC';
      throw asStackError(thrown, isFull ? 'host.disk-full' : 'image.store', {
        message: `The image store in ${this.root} cannot be made: ${(thrown as Error).message}.`,
        hint:
          process.getuid?.() === 0
            ? 'Check the place, or move it with STACK_ROOT.'
            : 'Run as root, or move the store with STACK_ROOT.',
      });
    }
    this.#isReady = true;
    this.sweep();
    makeReserve(this.root);
  }

  /** Layers have nothing to do with each other, and ext4 is slow to make files where it is just removing some. */
  #spreadLayers(): void {
    const fd = fs.openSync(this.layers, fs.constants.O_DIRECTORY);
    try {
      this.verbs.setTopDirectory(fd);
    } catch {
      // Another file system has other ways.
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Removes what killed commands left half made, or half removed, and blobs that nobody pulled on for a week. */
  sweep(): void {
    sweep(this.verbs, join(this.root, 'ingest'), () => true);
    sweep(this.verbs, join(this.root, 'leases'), () => true);
    sweep(this.verbs, this.layers, (name) => name.startsWith('.'));
    sweepPartials(this);
    this.records.forgetLost();
  }

  /** Makes something temporary at `path` that no sweep takes away while it is held. See {@link makeLocked}. */
  makeLocked(path: string, make: () => Fd): Fd {
    return makeLocked(this.verbs, path, make);
  }

  /** Takes the lock `name`; waits for it, or until the signal. @throws StackError `plan.interrupted` */
  lock(name: string, kind: 'shared' | 'exclusive' = 'exclusive', signal?: AbortSignal): Promise<Disposable> {
    return lock(this.verbs, join(this.root, 'locks', name), kind, signal);
  }

  /** Same without waiting: null where somebody holds it. */
  tryLock(name: string, kind: 'shared' | 'exclusive' = 'exclusive'): Disposable | null {
    return tryLock(this.verbs, join(this.root, 'locks', name), kind);
  }

  blob(digest: string): string {
    const [algorithm, hex] = digest.split(':') as [string, string];
    return join(this.root, 'blobs', algorithm, hex);
  }

  hasBlob(digest: string, size?: number): boolean {
    const stat = fs.statSync(this.blob(digest), { throwIfNoEntry: false });
    return stat !== undefined && (size === undefined || stat.size === size);
  }

  layer(chain: string): string {
    return join(this.layers, chain);
  }

  /** Whether a layer is whole: on disk, or written since the machine started, which is as good until it stops. */
  hasLayer(chain: string): boolean {
    return isWholeLayer(this.layer(chain));
  }

  /** A layer became whole: from now on it holds until the machine stops. */
  addFresh(chain: string): void {
    this.#fresh.add(chain);
  }

  /** Lets all that is whole reach the disk, and hold for good from then on. Waits for no disk. See settle.ts. */
  async settle(): Promise<void> {
    const records = this.records.unsettled();
    for (const { digest } of records) for (const chain of this.record(digest)?.chain ?? []) this.#fresh.add(chain);
    const layers = [...this.#fresh].map((chain) => ({ directory: this.layer(chain), from: freshMark(), to: doneMark }));
    this.#fresh.clear();
    await settle(this.#processes, this.root, [...records, ...layers]);
  }

  /** Takes the gate: see leases.ts. */
  async gate(kind: 'shared' | 'exclusive', signal?: AbortSignal): Promise<Disposable> {
    return this.tryLock('content', kind) ?? (await this.lock('content', kind, signal));
  }

  /** For as long as it is held, what it keeps is not removed. See leases.ts. */
  lease(): Lease {
    return this.#leases.take();
  }

  /** What living commands keep: complete under the gate, taken alone. */
  leased(): Set<string> {
    return this.#leases.living();
  }

  /** index.json as it is; read again only when it changed. */
  index(): Index {
    return this.#index.read();
  }

  /** Changes index.json under its lock. `change` answers the new list of manifests. */
  changeIndex(change: (manifests: Descriptor[]) => Descriptor[]): Promise<void> {
    return this.#index.change(change);
  }

  record(manifestDigest: string): ImageRecord | undefined {
    return this.records.read(manifestDigest);
  }

  /** A manifest of the store, as it was checked when it came. @throws StackError `image.store` */
  manifest(digest: string): Manifest {
    try {
      return JSON.parse(fs.readFileSync(this.blob(digest), 'utf8')) as Manifest;
    } catch (thrown) {
      throw new StackError('image.store', {
        message: `Manifest ${digest} of the store cannot be read: ${(thrown as Error).message}.`,
        hint: 'Remove the image and pull it again.',
        cause: thrown,
      });
    }
  }

  /** The image a descriptor of index.json stands for; undefined where a part of it is missing. */
  image(descriptor: Descriptor): StoredImage | undefined {
    const record = this.record(descriptor.digest);
    if (!record?.chain.every((chain) => this.hasLayer(chain))) return undefined;
    const names = this.index().manifests.flatMap((other) => {
      const name = other.digest === descriptor.digest ? other.annotations?.[refName] : undefined;
      return name ? [name] : [];
    });
    return {
      names,
      id: record.id,
      manifestDigest: record.manifestDigest,
      digest: descriptor.annotations?.[sourceDigest] ?? descriptor.digest,
      config: record.config,
      layers: record.chain.map((chain) => join(this.layers, chain, 'fs')).reverse(),
      size: record.size,
    };
  }

  /** Writes a whole file: temporary, rename. With fsync unless what follows syncs everything. On a full disk: the reserve. */
  write(path: string, content: string | Uint8Array, isSynced = true): void {
    replaceFile(this, path, content, isSynced);
  }
}
