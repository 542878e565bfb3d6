/** What config.json says of the image it was made from. */
import type { ImageConfig } from '../../schemas/oci-image.ts';

const prefix = 'org.opencontainers.image.';

/**
 * Annotations of the fields of an image's configuration, and its labels, which are annotations as they are and win.
 * Source: image-spec conversion.md "Annotation Fields", config.md.
 */
export function imageAnnotations(image: ImageConfig): Record<string, string> {
  const { config } = image;
  const features = image['os.features'];
  const said: Record<string, unknown> = {
    os: image.os,
    architecture: image.architecture,
    variant: image.variant,
    'os.version': image['os.version'],
    'os.features': Array.isArray(features) ? features.join(',') : undefined,
    author: image.author,
    created: image.created,
    stopSignal: config?.StopSignal,
    exposedPorts: Object.keys(config?.ExposedPorts ?? {}).join(','),
  };
  const implied = Object.entries(said).flatMap(([name, value]) =>
    typeof value === 'string' && value !== '' ? [[prefix + name, value] as const] : [],
  );
  // An annotation without a name is refused by runtime-spec; an image cannot be.
  const labels = Object.entries(config?.Labels ?? {}).filter(([name]) => name !== '');
  return { ...Object.fromEntries(implied), ...Object.fromEntries(labels) };
}
