/** Recipes: one folder an image, with `image.json`, `build.sh` and whatever the script copies in. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const recipesDir = dirname(fileURLToPath(import.meta.url));

/** `image.json` of a recipe. */
export interface Recipe {
  name: string;
  /** The recipe whose layers lie below; absent: from nothing. */
  from?: string;
  /** Names under which the registry serves it: `library/redis:7`. */
  tags: string[];
  /** Media types of the pushed documents. Both families are in use on public registries. */
  format: 'oci' | 'docker';
  /** `config` object of the image configuration (OCI image-spec, config.md). */
  config: Record<string, unknown>;
  /** sha256 over everything the image is made from. */
  hash: string;
}

/** Recipes in build order: a base comes before what is built on it. */
export function recipes(): Recipe[] {
  const byName = new Map<string, Recipe>();
  const read = (name: string): Recipe => {
    const known = byName.get(name);
    if (known) return known;
    const folder = join(recipesDir, name);
    const parsed = JSON.parse(readFileSync(join(folder, 'image.json'), 'utf8')) as Omit<Recipe, 'name' | 'hash'>;
    const hash = createHash('sha256').update(parsed.from ? read(parsed.from).hash : '');
    hash.update(name === 'node' ? process.version : '').update(readFileSync(join(recipesDir, 'build-lib.sh')));
    for (const file of readdirSync(folder).sort()) hash.update(file).update(readFileSync(join(folder, file)));
    const recipe = { ...parsed, name, hash: hash.digest('hex') };
    byName.set(name, recipe);
    return recipe;
  };
  const names = readdirSync(recipesDir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of names) read(name);
  return [...byName.values()];
}
