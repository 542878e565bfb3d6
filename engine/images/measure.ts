/** How much disk a tree takes. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Store } from './store.ts';

/** Bytes of disk (blocks, not lengths) below `root`, itself included; a file of several names counts once. */
export function measure(root: string): number {
  // Bytes: names in layers need not be UTF-8.
  const pending: Buffer[] = [Buffer.from(root)];
  const seen = new Set<string>();
  let bytes = 0;
  for (let path = pending.pop(); path; path = pending.pop()) {
    let stat: fs.Stats;
    try {
      stat = fs.lstatSync(path);
      if (stat.isDirectory()) {
        for (const name of fs.readdirSync(path, { encoding: 'buffer' })) {
          pending.push(Buffer.concat([path, Buffer.from('/'), name]));
        }
      }
    } catch {
      continue; // Removed in between.
    }
    if (stat.nlink > 1 && !stat.isDirectory()) {
      const key = `${stat.dev}:${stat.ino}`;
      if (seen.has(key)) continue;
      seen.add(key);
    }
    bytes += stat.blocks * 512;
  }
  return bytes;
}

/** Bytes of an unpacked layer. Layers never change: each is measured once and what came out is kept beside it. */
export function layerSize(store: Store, chain: string): number {
  const file = join(store.layer(chain), 'size');
  try {
    const known = Number(fs.readFileSync(file, 'utf8'));
    if (known > 0) return known;
  } catch {
    // Not measured yet.
  }
  if (!store.hasLayer(chain)) return 0;
  const size = measure(join(store.layer(chain), 'fs'));
  try {
    fs.writeFileSync(file, String(size));
  } catch {
    // On a full disk it is measured again next time.
  }
  return size;
}
