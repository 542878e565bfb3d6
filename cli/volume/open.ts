/** What the commands of `stack volume` share. */
import type { Volumes } from '../../engine/volumes/volumes.ts';
import type { VolumeRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Emit } from '../../schemas/events.ts';
import type { Context } from '../command.ts';

/** Docker's label of a volume that was made without a name. */
export const anonymousLabel = 'com.docker.volume.anonymous';

export const isAnonymous = ({ isAnonymous, labels }: VolumeRecord): boolean =>
  isAnonymous || Object.hasOwn(labels, anonymousLabel);

export async function openVolumes(context: Context): Promise<Volumes> {
  const [host, { createVolumes }] = await Promise.all([context.host(), import('../../engine/volumes/volumes.ts')]);
  return createVolumes(host);
}

/** While no other command works on the volume's stack: a container of it that is being made has no record yet. */
export async function removeVolume(context: Context, volumes: Volumes, record: VolumeRecord): Promise<void> {
  const [host, { lockStack }] = await Promise.all([context.host(), import('../../engine/state/lock.ts')]);
  const command = `stack ${context.arguments.slice(0, 2).join(' ')}`;
  const emit: Emit = (event) => {
    if (event.type === 'waiting') context.stderr.write(`${event.resource}: ${event.because}\n`);
  };
  using _lock = record.stack ? await lockStack(host, { stack: record.stack, command, emit }) : undefined;
  await volumes.remove(record);
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
