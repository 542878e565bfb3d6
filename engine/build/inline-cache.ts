/** `cache_to` of type=inline: the steps of an image in its own configuration. Its layers are the image's. */
import type { ImageConfig, Manifest } from '../../schemas/oci-image.ts';
import { type KeptStep, readKept, type SolvedStep } from './cache-source.ts';

/** Key of the configuration; image-spec config.md leaves unknown ones alone. */
export const inlineKey = 'dev.stack.build.cache.v1';

interface Inline {
  version: 1;
  /** `base` layers of the image below the step, `layers` with it. */
  steps: Record<string, { base: number; layers: number; createdAt: string }>;
}

/** The steps that lead to the tree with these layers. `createdAt`: instead of the times the steps ran at. */
export function inlineOf(steps: Map<string, SolvedStep>, diffIds: string[], createdAt: string | undefined): Inline {
  const isIn = (step: SolvedStep) => step.diffIds.every((diffId, at) => diffIds[at] === diffId);
  const kept = [...steps].filter(([, step]) => isIn(step)).sort(([a], [b]) => (a < b ? -1 : 1));
  const entries = kept.map(([key, step]) => {
    return [key, { base: step.base, layers: step.diffIds.length, createdAt: createdAt ?? step.createdAt }] as const;
  });
  return { version: 1, steps: Object.fromEntries(entries) };
}

/** What a stranger's image says, as far as it is sound. */
export function readInline(config: ImageConfig, manifest: Manifest): Map<string, KeptStep> {
  const found = new Map<string, KeptStep>();
  const inline = config[inlineKey] as Partial<Inline> | null | undefined;
  const diffIds = config.rootfs.diff_ids;
  if (inline?.version !== 1 || typeof inline.steps !== 'object' || diffIds.length !== manifest.layers.length)
    return found;
  for (const [key, step] of Object.entries(inline.steps ?? {})) {
    const { base, layers, createdAt } = step ?? {};
    if (!isCount(base) || !isCount(layers) || layers > diffIds.length || base > layers) continue;
    const kept = readKept({
      diffIds: diffIds.slice(0, layers),
      createdAt,
      layers: manifest.layers.slice(base, layers),
    });
    if (kept) found.set(key, kept);
  }
  return found;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
