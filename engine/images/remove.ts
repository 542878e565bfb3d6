/** Takes names away, and images with their last one. */
import { StackError } from '../../schemas/errors.ts';
import type { Descriptor, StoredImage } from '../../schemas/oci-image.ts';
import type { Layout } from '../state/layout.ts';
import { collect, type Uses } from './collect.ts';
import type { Removed, RemoveOptions } from './images.ts';
import { familiar } from './reference.ts';
import { imageName, refName, type Store } from './store.ts';

/**
 * Takes `name` from the image, or all its names where it is undefined. With the last one the image goes, unless used.
 * Forced, one that containers use loses its names and stays for them.
 * @throws StackError `image.in-use`, `image.reference` where an id means an image of several names and it is not forced
 */
export async function remove(
  store: Store,
  layout: Layout,
  image: Pick<StoredImage, 'id' | 'manifestDigest' | 'names'>,
  name: string | undefined,
  { isForced = false, keepsContent = false }: RemoveOptions,
): Promise<Removed> {
  let untagged: string[] = [];
  const { deleted, bytes } = await collect(store, layout, (manifests, uses) => {
    const names = namesOf(manifests, image.manifestDigest);
    untagged = name ? [name] : names;
    if (!name && !isForced && repositories(names).size > 1) throw ambiguous(image, names);
    const isLast = names.every((other) => untagged.includes(other));
    if (!isLast) return manifests.filter(({ annotations }) => !untagged.includes(annotations?.[refName] ?? ''));
    const users = usersOf(image, uses);
    if ((users.length > 0 && !isForced) || uses.leased.has(image.manifestDigest)) throw inUse(image, name, users);
    if (users.length > 0 || keepsContent) return nameless(manifests, image.manifestDigest);
    return manifests.filter(({ digest }) => digest !== image.manifestDigest);
  });
  return { untagged, deleted, bytes };
}

/** Names of the containers that use an image, of any stack, stopped ones too. */
export function usersOf({ manifestDigest, id }: Pick<StoredImage, 'manifestDigest' | 'id'>, { users }: Uses): string[] {
  return [...new Set([...(users.get(manifestDigest) ?? []), ...(users.get(id) ?? [])])].sort();
}

export function namesOf(manifests: Descriptor[], manifestDigest: string): string[] {
  return manifests.flatMap(({ digest, annotations }) => {
    const name = annotations?.[refName];
    return digest === manifestDigest && name ? [name] : [];
  });
}

/** One entry without a name instead of all of an image's. */
function nameless(manifests: Descriptor[], manifestDigest: string): Descriptor[] {
  const first = manifests.find(({ digest }) => digest === manifestDigest);
  const { [refName]: _ref, [imageName]: _name, ...annotations } = first?.annotations ?? {};
  const others = manifests.filter(({ digest }) => digest !== manifestDigest);
  return first ? [...others, { ...first, annotations }] : others;
}

function repositories(names: string[]): Set<string> {
  return new Set(names.map((name) => name.replace(/[:@][^/]*$/, '')));
}

function inUse(image: Pick<StoredImage, 'id' | 'names'>, name: string | undefined, users: string[]): StackError {
  const shown = familiar(name ?? image.names[0] ?? image.id);
  const by = users.length === 1 ? 'container' : 'containers';
  return new StackError('image.in-use', {
    message:
      users.length > 0
        ? `Image ${shown} is used by ${by} ${users.join(', ')}.`
        : `Image ${shown} is used by a command that is at work.`,
    hint:
      users.length > 0
        ? 'Remove them first, with `stack down` for a stack; -f takes only the name away.'
        : 'Try again when the other command is done.',
    resource: `image ${shown}`,
  });
}

function ambiguous(image: Pick<StoredImage, 'id'>, names: string[]): StackError {
  return new StackError('image.reference', {
    message: `Image ${image.id.slice(7, 19)} has names in several repositories: ${names.map(familiar).join(', ')}.`,
    hint: 'Remove them one by one, or all of them with -f.',
    resource: `image ${image.id}`,
  });
}
