/**
 * Caches in directories: `cache_from` and `cache_to` of `type=local`. `steps/<key>.json` is a step, `blobs/sha256/<hex>` the
 * layers it made. Who can write there decides what steps yield, as with every build cache that is taken over.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Host } from '../host.ts';
import { readStep, type StepRecord } from '../images/build-cache.ts';
import { Extractors } from '../images/extractors.ts';
import { addLayer, chainIds } from '../images/layer.ts';
import type { Lease } from '../images/leases.ts';
import type { Store } from '../images/store.ts';
import { compressed } from './export.ts';
import { packedType } from './pack.ts';
import type { Records } from './records.ts';
import { isPresent, type Tree } from './tree.ts';

/** A step of a build: what came of it, and how many layers it was made on. */
export interface SolvedStep extends StepRecord {
  base: number;
}

interface Blob {
  mediaType: string;
  digest: string;
  size: number;
}

const blobPath = (folder: string, digest: string) => join(folder, 'blobs/sha256', digest.replace('sha256:', ''));

/** Adds steps and what they made. @throws StackError build.cache where it cannot be written */
export async function writeCache(
  folder: string,
  steps: Map<string, SolvedStep>,
  { store, records, epoch, signal }: { store: Store; records: Records; epoch: number | undefined; signal: AbortSignal },
): Promise<void> {
  try {
    mkdirSync(join(folder, 'steps'), { recursive: true });
    mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
    for (const [key, { diffIds, createdAt, base }] of steps) {
      const chain = chainIds(diffIds);
      const layers: Blob[] = [];
      for (let at = base; at < diffIds.length; at++) {
        const known = records.blobOf(diffIds[at]!);
        const isStored = known !== undefined && store.hasBlob(known.digest, known.size);
        if (isStored && existsSync(blobPath(folder, known.digest))) layers.push(known);
        else {
          const bytes = isStored ? createReadStream(store.blob(known.digest)) : compressed(store, chain[at]!, epoch);
          layers.push(await writeBlob(folder, bytes, signal));
        }
      }
      const temporary = join(folder, 'steps', `.${randomBytes(6).toString('hex')}`);
      writeFileSync(temporary, JSON.stringify({ diffIds, createdAt, layers }));
      renameSync(temporary, join(folder, 'steps', `${key}.json`));
    }
  } catch (thrown) {
    if (thrown instanceof StackError || signal.aborted) throw thrown;
    const { code } = thrown as NodeJS.ErrnoException;
    throw new StackError('build.cache', {
      message: `The build cache ${folder} cannot be written: ${code ?? (thrown as Error).message}.`,
      hint: 'The image is built. Check `cache_to` of `build` in the stack file.',
    });
  }
}

async function writeBlob(folder: string, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Blob> {
  const temporary = join(folder, 'blobs', `.${randomBytes(6).toString('hex')}`);
  const hash = createHash('sha256');
  let size = 0;
  const counted = async function* () {
    for await (const chunk of bytes) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  try {
    await pipeline(Readable.from(counted()), createWriteStream(temporary, { flags: 'wx' }), { signal });
    const digest = `sha256:${hash.digest('hex')}`;
    renameSync(temporary, blobPath(folder, digest));
    return { mediaType: packedType, digest, size };
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  }
}

export interface Importing {
  store: Store;
  host: Host;
  lease: Lease;
  records: Records;
  signal: AbortSignal;
  warn(error: StackError): void;
}

/** The step with this key as one of `folders` has it, its layers brought into the store. What is damaged is not there. */
export async function readCache(
  folders: string[],
  key: string,
  base: Tree,
  { store, host, lease, records, signal, warn }: Importing,
): Promise<StepRecord | undefined> {
  for (const folder of folders) {
    const path = join(folder, 'steps', `${key}.json`);
    const step = readStep(path);
    const layers = step && layersOf(path);
    const isOnBase = step && base.diffIds.every((diffId, at) => step.diffIds[at] === diffId);
    if (!step || !isOnBase || layers?.length !== step.diffIds.length - base.diffIds.length) continue;
    const chain = chainIds(step.diffIds);
    await lease.keep([...chain.map((one) => `sha256:${one}`), ...layers.map(({ digest }) => digest)]);
    await using extractors = new Extractors(host.kernel.addon);
    try {
      for (const [index, { mediaType, digest, size }] of layers.entries()) {
        const at = base.diffIds.length + index;
        const open = () => createReadStream(blobPath(folder, digest));
        const source = { diffId: step.diffIds[at]!, chain: chain[at]!, digest, size, open, isResumable: false };
        await addLayer(store, extractors, source, () => {}, signal);
        records.keepBlob(source.diffId, { digest, size, mediaType });
      }
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      warn(
        asStackError(thrown, 'build.cache', { message: `The build cache ${folder} has a damaged step: it is run.` }),
      );
      continue;
    }
    const record = { diffIds: step.diffIds, createdAt: step.createdAt };
    if (!isPresent(store, record)) continue;
    records.keep(key, record);
    return record;
  }
  return undefined;
}

function layersOf(path: string): Blob[] | undefined {
  try {
    const { layers } = JSON.parse(readFileSync(path, 'utf8')) as { layers: Blob[] };
    const isWhole = layers.every(
      ({ mediaType, digest, size }) =>
        /^application\/vnd\.oci\.image\.layer\.v1\.tar(?:\+gzip|\+zstd)?$/.test(mediaType) &&
        /^sha256:[0-9a-f]{64}$/.test(digest) &&
        Number.isSafeInteger(size),
    );
    return isWhole ? layers : undefined;
  } catch {
    return undefined;
  }
}
