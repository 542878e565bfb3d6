/** Takes names away, and content that nothing names any more. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Removed } from './images.ts';
import { removeLayer } from './layer.ts';
import { familiar } from './reference.ts';
import { refName, type Store } from './store.ts';

/**
 * Takes `name` from the image, or all its names where it is undefined. With the last one the image goes, unless used.
 * @throws StackError `image.in-use`
 */
export async function remove(
  store: Store,
  image: StoredImage,
  name: string | undefined,
  usedBy: (image: StoredImage) => string[],
): Promise<Removed> {
  store.prepare();
  const untagged = name ? [name] : image.names;
  const isLast = image.names.every((other) => untagged.includes(other));
  const users = isLast ? usedBy(image) : [];
  if (users.length > 0) {
    const shown = familiar(name ?? image.names[0] ?? image.id);
    throw new StackError('image.in-use', {
      message: `Image ${shown} is used by ${users.length === 1 ? 'container' : 'containers'} ${users.join(', ')}.`,
      hint: 'Remove them first, with `stack down` for a stack.',
      resource: `image ${shown}`,
    });
  }
  await store.changeIndex((manifests) =>
    isLast
      ? manifests.filter(({ digest }) => digest !== image.manifestDigest)
      : manifests.filter(({ annotations }) => !untagged.includes(annotations?.[refName] ?? '')),
  );
  return { untagged, deleted: isLast ? collect(store) : [] };
}

/**
 * Removes blobs, records and layers that no entry of index.json needs; answers digests of images and layers. Does nothing
 * while somebody adds content, who may be about to name it: a later call finds it.
 */
export function collect(store: Store): string[] {
  using lock = store.tryLock('content');
  if (!lock) return [];
  const blobs = new Set<string>();
  const chains = new Set<string>();
  for (const { digest } of store.index().manifests) {
    const record = store.record(digest);
    blobs.add(digest);
    for (const blob of record?.blobs ?? store.blobsOf(digest)) blobs.add(blob);
    for (const chain of record?.chain ?? []) chains.add(chain);
  }
  const deleted: string[] = [];
  const root = join(store.root, 'blobs');
  for (const algorithm of fs.readdirSync(root)) {
    for (const hex of fs.readdirSync(join(root, algorithm))) {
      const digest = `${algorithm}:${hex}`;
      if (blobs.has(digest)) continue;
      if (store.record(digest)) deleted.push(digest);
      store.removeRecord(digest);
      fs.rmSync(join(root, algorithm, hex), { force: true });
    }
  }
  for (const chain of fs.readdirSync(store.layers)) {
    if (chains.has(chain) || chain.startsWith('.')) continue;
    // Its mark goes first: a removal cut short must not leave what looks whole.
    for (const mark of ['done', store.freshMark()]) fs.rmSync(join(store.layer(chain), mark), { force: true });
    removeLayer(store, chain);
    fs.rmSync(join(store.root, 'locks', chain), { force: true });
    deleted.push(`sha256:${chain}`);
  }
  return deleted;
}
