/** What of volumes and mounts cannot be carried out, each with its reason and what to do instead. */
import type { Volume } from '../../schemas/project.ts';
import { isProblem, localVolume } from './local-volume.ts';
import type { Verdict } from './refused.ts';

/** @returns paths below the volume. */
export function refusedVolume({ driver = 'local', driver_opts }: Pick<Volume, 'driver' | 'driver_opts'>): Verdict[] {
  if (!['local', 'default', ''].includes(driver)) {
    const hint = 'Write local: with `driver_opts` it mounts nfs, cifs, tmpfs, a directory and every file system of the kernel.';
    const why = `${JSON.stringify(driver)} is a plugin of docker's daemon, and Stack has none`;
    return [{ path: ['driver'], why, hint }];
  }
  const local = localVolume(driver_opts);
  if (!isProblem(local)) return [];
  const { option, why, hint } = local;
  return [{ path: ['driver_opts', ...(option === undefined ? [] : [option])], why, hint }];
}
