/** Another name for an image that is here. */
import type { Descriptor, StoredImage } from '../../schemas/oci-image.ts';
import { withNames } from './install.ts';
import { imageName, refName, type Store } from './store.ts';

/**
 * Gives `name` (normalised) to the image; who had it before stays, nameless where it has no other.
 * @throws StackError `image.store`, `host.disk-full`
 */
export async function tag(store: Store, image: StoredImage, name: string): Promise<void> {
  store.prepare();
  using lease = store.lease();
  await lease.keep([image.manifestDigest]);
  await store.changeIndex((manifests) => {
    const own = manifests.find(({ digest }) => digest === image.manifestDigest);
    if (!own) return manifests;
    const entry = (given?: string): Descriptor => {
      const { [refName]: _ref, [imageName]: _name, ...annotations } = own.annotations ?? {};
      return { ...own, annotations: { ...annotations, ...(given ? { [refName]: given, [imageName]: given } : {}) } };
    };
    return withNames(manifests, [name], entry);
  });
}
