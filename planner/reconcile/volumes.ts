/** What becomes of the volumes a stack uses. Data is deleted only where a flag names the volume. */
import { StackError } from '../../schemas/errors.ts';
import type { Project } from '../../schemas/project.ts';
import type { ObservedVolume, Snapshot } from '../../schemas/snapshot.ts';
import { byName } from '../graph.ts';
import { type Difference, definitionDifferences, describe } from './compare.ts';
import type { ReconcileOptions } from './options.ts';
import { externalMissing, foreign } from './resources.ts';

export interface VolumeFate {
  /** `restore`: its record is there and its content is gone. `recreate`: deleted with its data, and made anew. */
  kind: 'keep' | 'create' | 'restore' | 'update' | 'recreate';
  /** On the machine. */
  name: string;
  cause: string;
  observed?: ObservedVolume;
}

/** Fields of a definition that live in the record alone: changing them touches no data. */
const labels = /^volumes\.[^.]+\.labels\b/;

/**
 * By key, in the order of `keys`. @throws StackError volume.not-found for an external one that the machine does not have,
 * volume.changed where only deleting its data would make it what the stack file says, and no flag names it
 */
export function volumeFates(
  project: Project,
  snapshot: Snapshot,
  keys: string[],
  options: ReconcileOptions,
  warnings: string[],
): Map<string, VolumeFate> {
  checkNamed(project, options);
  const observed = new Map(snapshot.volumes.map((volume) => [volume.name, volume]));
  const fates = new Map<string, VolumeFate>();
  for (const key of keys) {
    const volume = project.volumes[key];
    if (!volume) continue;
    const { name } = volume;
    const found = observed.get(name);
    if (volume.external && !found) throw externalMissing('volume', key, name);
    if (!found) {
      fates.set(key, { kind: 'create', name, cause: 'it does not exist yet' });
      continue;
    }
    const isOurs = !volume.external && found.stack === snapshot.stack;
    if (!volume.external && !isOurs) warnings.push(foreign('volume', name, found.stack));
    if (found.isContentGone) {
      // Another stack's is that one's to mend.
      if (!isOurs) throw contentGone(key, found);
      fates.set(key, { kind: 'restore', name, cause: 'its folder is gone, with what it held', observed: found });
      continue;
    }
    const differences = isOurs ? definitionDifferences('volumes', key, found.config, volume) : [];
    fates.set(key, changed(key, found, differences, options, warnings));
  }
  return fates;
}

function changed(
  key: string,
  observed: ObservedVolume,
  differences: Difference[],
  { noRecreate, recreateVolumes = [] }: ReconcileOptions,
  warnings: string[],
): VolumeFate {
  const { name } = observed;
  const keep: VolumeFate = { kind: 'keep', name, cause: '', observed };
  const cause = describe(differences);
  if (differences.length === 0) return keep;
  if (differences.every(({ path }) => labels.test(path))) return { kind: 'update', name, cause, observed };
  if (recreateVolumes.includes(key)) return { kind: 'recreate', name, cause, observed };
  if (noRecreate) {
    warnings.push(`Volume ${name} keeps the definition it was made with, and its data (${cause}).`);
    return keep;
  }
  throw new StackError('volume.changed', {
    message: `Volume ${name} holds data, and was made otherwise than the stack file says now (${cause}).`,
    hint: `Take the change back, or add --recreate-volume ${key}: that deletes the volume with everything in it, and makes it anew.`,
    resource: `volumes.${key}`,
  });
}

function checkNamed(project: Project, { recreateVolumes = [] }: ReconcileOptions): void {
  const unknown = recreateVolumes.find((key) => !Object.hasOwn(project.volumes, key));
  if (unknown === undefined) return;
  throw new StackError('volume.not-found', {
    message: `The stack ${project.name} has no volume ${unknown}, which --recreate-volume names.`,
    hint: `It has ${Object.keys(project.volumes).sort(byName).join(', ') || 'none'}.`,
    resource: `volumes.${unknown}`,
  });
}

function contentGone(key: string, { name, path, stack }: ObservedVolume): StackError {
  return new StackError('volume.not-found', {
    message: `The folder of the volume ${name} of the stack ${stack} is gone: ${path}.`,
    hint: `Bring that stack up first: \`stack -p ${stack} up\`.`,
    resource: `volumes.${key}`,
  });
}
