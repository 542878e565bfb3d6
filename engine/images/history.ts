/** How an image came to be, as its configuration tells. Source: image-spec config.md `history`. */
import type { Manifest, StoredImage } from '../../schemas/oci-image.ts';

export interface HistoryStep {
  /** ISO 8601; empty where it is not told. */
  created: string;
  createdBy: string;
  comment: string;
  /** Bytes of the layer's blob; 0 where the step made none. */
  size: number;
  /** Digest of the layer's blob; undefined where the step made none. */
  layer: string | undefined;
  /** Names of the image as it was after this step; only the last one has them. */
  names: string[];
  /** Id of the image after this step: known of the last one. */
  id: string | undefined;
}

/** The newest step first, as `docker history` lists them. Layers that no step tells of get one each. */
export function history(image: StoredImage & { manifest: Manifest }): HistoryStep[] {
  const told = (image.config.history ?? []) as {
    created?: string;
    created_by?: string;
    comment?: string;
    empty_layer?: boolean;
  }[];
  const layers = [...image.manifest.layers];
  const steps: HistoryStep[] = [];
  for (const { created, created_by, comment, empty_layer } of told) {
    const layer = empty_layer === true ? undefined : layers.shift();
    steps.push({
      created: typeof created === 'string' ? created : '',
      createdBy: typeof created_by === 'string' ? created_by : '',
      comment: typeof comment === 'string' ? comment : '',
      size: layer?.size ?? 0,
      layer: layer?.digest,
      names: [],
      id: undefined,
    });
  }
  for (const { digest, size } of layers) {
    steps.push({ created: '', createdBy: '', comment: '', size, layer: digest, names: [], id: undefined });
  }
  const last = steps.at(-1);
  if (last) Object.assign(last, { names: image.names, id: image.id });
  return steps.reverse();
}
