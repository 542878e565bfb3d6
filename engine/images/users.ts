/** Which containers use what of the store: read from their directories, of every stack, whether they run or not. */
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { ContainerRecord } from '../../schemas/container.ts';
import { entries } from '../state/entries.ts';
import type { Layout } from '../state/layout.ts';

/** Names of containers by what they use: digests of manifests, ids of images, `sha256:` + chain ids of layers. */
export type Users = Map<string, string[]>;

/**
 * A directory without a readable record counts too: its container is being made, or its record is damaged. What is read is
 * what the container was made from, so an image of the same name that came later is not used by it.
 */
export function imageUsers(layout: Pick<Layout, 'stacks' | 'stackDir' | 'containerDir'>): Users {
  const users: Users = new Map();
  const use = (digest: string, container: string) => {
    const names = users.get(digest);
    if (!names) users.set(digest, [container]);
    else if (!names.includes(container)) names.push(container);
  };
  for (const stack of entries(layout.stacks)) {
    for (const id of entries(layout.stackDir(stack))) {
      const directory = layout.containerDir(stack, id);
      const record = read<ContainerRecord>(`${directory}/container.json`);
      const made = read<Made & { mounted?: Made[] }>(`${directory}/image.json`);
      const name = typeof record?.name === 'string' ? record.name : id.slice(0, 12);
      for (const digest of [record?.image?.manifestDigest, record?.image?.id, made?.id]) if (digest) use(digest, name);
      const mounted = made?.mounted ?? [];
      for (const { id } of mounted) use(id, name);
      for (const { layers } of made ? [made, ...mounted] : []) {
        for (const layer of layers) use(`sha256:${basename(dirname(layer))}`, name);
      }
    }
  }
  return users;
}

/** What a container was made from, or mounts. */
interface Made {
  id: string;
  layers: string[];
}

function read<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
