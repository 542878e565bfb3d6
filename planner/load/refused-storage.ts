/** What of volumes and mounts cannot be carried out, each with its reason and what to do instead. */
import type { ServiceVolume, Volume } from '../../schemas/project.ts';
import { isProblem, localVolume } from './local-volume.ts';
import type { Verdict } from './refused.ts';

/** @returns paths below the volume. */
export function refusedVolume({ driver = 'local', driver_opts }: Pick<Volume, 'driver' | 'driver_opts'>): Verdict[] {
  if (!['local', 'default', ''].includes(driver)) {
    const hint =
      'Write local: with `driver_opts` it mounts nfs, cifs, tmpfs, a directory and every file system of the kernel.';
    const why = `${JSON.stringify(driver)} is a plugin of docker's daemon, and Stack has none`;
    return [{ path: ['driver'], why, hint }];
  }
  const local = localVolume(driver_opts);
  if (!isProblem(local)) return [];
  const { option, why, hint } = local;
  return [{ path: ['driver_opts', ...(option === undefined ? [] : [option])], why, hint }];
}

const types: Record<string, string> = {
  npipe: 'a named pipe is a thing of Windows',
  cluster: 'cluster volumes belong to the CSI plugins of a swarm',
};
const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

/** @returns paths below the mount. */
export function refusedMount(mount: ServiceVolume): Verdict[] {
  const found: Verdict[] = [];
  const refuse = (path: string[], why: string, hint: string) => found.push({ path, why, hint });
  const { type, bind = {}, volume = {}, read_only: isReadOnly = false } = mount;
  if (!['bind', 'volume', 'tmpfs', 'image'].includes(type)) {
    const why = types[type] ?? `${JSON.stringify(type)} is no type of mount`;
    refuse(['type'], why, 'Write bind, volume, tmpfs or image.');
  }
  if (bind.propagation && !propagations.includes(bind.propagation)) {
    const why = `${JSON.stringify(bind.propagation)} is no propagation`;
    refuse(['bind', 'propagation'], why, `It is one of ${propagations.join(', ')}.`);
  }
  refused(bind, isReadOnly, refuse);
  if (volume.subpath && !mount.source) {
    refuse(['volume', 'subpath'], 'a volume without a name is new and empty', 'Give the volume a name in `source`.');
  }
  if (type === 'image' && !mount.source) refuse([], 'an image mount needs an image', 'Name it in `source`.');
  if (mount['x-idmap'] !== undefined && !isIdmap(mount)) {
    const hint = 'Write `x-idmap: true`, or `x-idmap: {uid: 1000, gid: 1000}`, on a mount of type bind.';
    refuse(['x-idmap'], 'it says whose the files of a bind are', hint);
  }
  return found;
}

type Refuse = (path: string[], why: string, hint: string) => void;

function refused({ recursive, propagation }: NonNullable<ServiceVolume['bind']>, isReadOnly: boolean, refuse: Refuse) {
  if (!recursive || recursive === 'enabled' || recursive === 'disabled') return;
  const path = ['bind', 'recursive'];
  if (recursive !== 'writable' && recursive !== 'readonly') {
    refuse(
      path,
      `${JSON.stringify(recursive)} is none of its values`,
      'Write enabled, disabled, writable or readonly.',
    );
  } else if (!isReadOnly) {
    refuse(path, `${recursive} says what becomes of mounts below one that is read-only`, 'Add `read_only: true`.');
  } else if (recursive === 'readonly' && propagation && propagation !== 'rprivate') {
    refuse(path, `what ${propagation} lets in later would be writable`, 'Write `propagation: rprivate`, or none.');
  }
}

function isIdmap({ type, 'x-idmap': asked }: ServiceVolume): boolean {
  const isId = (id: unknown) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < 0xffff_ffff;
  if (type !== 'bind') return false;
  return typeof asked === 'boolean' || (typeof asked === 'object' && isId(asked?.uid) && isId(asked?.gid));
}
