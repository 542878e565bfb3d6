/** `volumes_from`: the mounts of other containers, as they have them. Source: compose-spec 05-services.md "volumes_from". */
import type { ContainerRecord, ResolvedMount } from '../../schemas/container.ts';
import { namedPeer } from './peers.ts';

export interface VolumesFrom {
  mounts: ResolvedMount[];
  /** Ids of the containers, by `volumes NAME`. */
  peers: Record<string, string>;
}

/**
 * Each entry is `service`, `service:ro` or `container:name[:ro]`. What it brings is not the container's own: anonymous
 * volumes go with whom they were made for. Of two mounts at one place the later counts.
 * @throws runtime.not-running where one has no container.
 */
export function volumesFrom(entries: string[], name: string, peers: ContainerRecord[]): VolumesFrom {
  const mounts = new Map<string, ResolvedMount>();
  const ids: Record<string, string> = {};
  for (const entry of entries) {
    const [, from = '', access] = /^(.*?)(?::(r[ow]))?$/s.exec(entry)!;
    const mode = from.startsWith('container:') ? from : `service:${from}`;
    const peer = namedPeer(mode, { name, what: 'volumes' }, peers)!;
    ids[`volumes ${from}`] = peer.id;
    for (const mount of peer.mounts) {
      // As docker has it: tmpfs mounts are each container's own.
      if (mount.type === 'tmpfs') continue;
      const taken = mount.type === 'volume' ? { ...mount, isAnonymous: false } : mount;
      mounts.set(mount.target, access === 'ro' ? { ...taken, readOnly: true } : taken);
    }
  }
  return { mounts: [...mounts.values()], peers: ids };
}
