/** What the commands of `stack volume` share. */
import type { Volumes } from '../../engine/volumes/volumes.ts';
import type { VolumeRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Context } from '../command.ts';

/** Docker's label of a volume that was made without a name. */
export const anonymousLabel = 'com.docker.volume.anonymous';

export const isAnonymous = ({ isAnonymous, labels }: VolumeRecord): boolean =>
  isAnonymous || Object.hasOwn(labels, anonymousLabel);

export async function openVolumes(context: Context): Promise<Volumes> {
  const [host, { createVolumes }] = await Promise.all([context.host(), import('../../engine/volumes/volumes.ts')]);
  return createVolumes(host);
}

/** @throws volume.not-found */
export function existing(volumes: Volumes, name: string): VolumeRecord {
  const record = volumes.get(name);
  if (record) return record;
  throw new StackError('volume.not-found', {
    message: `There is no volume ${name}.`,
    hint: '`stack volume ls` lists those there are.',
    resource: `volume ${name}`,
  });
}

/** `key=value` words as a map; a word without a value stands for an empty one. */
export function pairs(words: string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const [key = '', value = ''] = word.split(/=(.*)/s);
      return [key, value];
    }),
  );
}
