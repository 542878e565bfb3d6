/**
 * Caches in directories: `cache_from` and `cache_to` of `type=local`. `steps/<key>.json` is a step, `blobs/sha256/<hex>` the
 * layers it made.
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
import { StackError } from '../../schemas/errors.ts';
import { chainIds } from '../images/layer.ts';
import type { Store } from '../images/store.ts';
import { type Blob, type CacheSource, readKept, type SolvedStep } from './cache-source.ts';
import { compressed } from './export.ts';
import { packedType } from './pack.ts';
import type { Records } from './records.ts';

const blobPath = (folder: string, digest: string) => join(folder, 'blobs/sha256', digest.replace('sha256:', ''));

export function localCache(folder: string): CacheSource {
  return {
    shown: folder,
    async step(key) {
      try {
        return readKept(JSON.parse(readFileSync(join(folder, 'steps', `${key}.json`), 'utf8')));
      } catch {
        return undefined;
      }
    },
    open: ({ digest }) => createReadStream(blobPath(folder, digest)),
  };
}

/** Adds steps and what they made. @throws StackError build.cache where it cannot be written */
export async function writeLocalCache(
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
