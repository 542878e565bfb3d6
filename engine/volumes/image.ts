/** Mounts of type image: an image's files, or a part of them, for reading. */
import { closeSync } from 'node:fs';
import type { ResolvedMount } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { ServiceVolume } from '../../schemas/project.ts';
import { resolvePath } from '../build/resolve.ts';
import { imageView } from './tree.ts';

type ImageMount = Extract<ResolvedMount, { type: 'image' }>;

/** The subpath's links are followed inside the image, now: nobody changes it any more. @throws volume.subpath, image.not-found */
export function imageMount(
  verbs: FilesystemVerbs,
  { source = '', image: options = {} }: ServiceVolume,
  target: string,
  image: StoredImage | undefined,
  resource: string,
): { mount: ImageMount; isDirectory: boolean } {
  if (!image) {
    throw new StackError('image.not-found', {
      message: `${resource}: the image ${source}, which is to be mounted, is not in the store`,
      hint: `Pull it with \`stack image pull ${source}\`.`,
      resource,
    });
  }
  const view = imageView(verbs, image);
  try {
    const subpath = options.subpath ?? '';
    const { path, kind } = resolvePath(verbs, view ?? undefined, subpath);
    if (kind === undefined && path !== '') {
      throw new StackError('volume.subpath', {
        message: `${resource}: the subpath ${subpath} is not in the image ${source}`,
        hint: 'Name a file or directory that the image has.',
        resource,
      });
    }
    const mount: ImageMount = {
      type: 'image',
      source,
      id: image.id,
      layers: image.layers,
      path,
      target,
      readOnly: true,
    };
    return { mount, isDirectory: kind !== 'other' };
  } finally {
    if (view !== null) closeSync(view);
  }
}
