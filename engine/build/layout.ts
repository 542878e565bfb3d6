/** `oci-layout://` of additional_contexts: an image out of an OCI layout directory. Source: buildx, "--build-context". */
import { StackError } from '../../schemas/errors.ts';
import type { Descriptor, Platform, StoredImage } from '../../schemas/oci-image.ts';
import { loadFrom } from '../images/load.ts';
import { showPlatform } from '../images/platform.ts';
import { refName, type Store } from '../images/store.ts';

/**
 * Into the store, nameless. `reference`: `oci-layout://DIRECTORY[:TAG][@DIGEST]`; without both, the only image there is,
 * or the one with the tag latest. @throws StackError of the image group
 */
export function imageOfLayout(
  store: Store,
  addon: string,
  reference: string,
  platform: Platform,
  signal: AbortSignal,
): Promise<StoredImage> {
  const [, directory, tag, digest] = /^oci-layout:\/\/([^@]*?)(?::([\w][\w.-]*))?(?:@(.*))?$/s.exec(reference)!;
  const choose = (manifests: Descriptor[]): Descriptor => {
    const tagged = (name: string) => manifests.find(({ annotations }) => annotations?.[refName] === name);
    let found: Descriptor | undefined;
    if (digest) found = manifests.find((one) => one.digest === digest);
    else if (tag) found = tagged(tag);
    else found = manifests.length === 1 ? manifests[0] : tagged('latest');
    if (found) return found;
    throw new StackError('image.not-found', {
      message: `The OCI layout ${directory} has no image ${digest ?? tag ?? 'latest'}.`,
      hint: `Its index.json names ${manifests.length}: say which with :TAG or @DIGEST.`,
    });
  };
  return loadFrom(store, addon, directory!, choose, { platform: showPlatform(platform), signal });
}
