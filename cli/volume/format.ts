/** Volumes in docker's words. */
import type { VolumeRecord } from '../../schemas/container.ts';

/** A line of `volume ls`; what docker knows of volumes of a swarm is not available. */
export interface VolumeEntry {
  Availability: string;
  Driver: string;
  Group: string;
  Labels: string;
  Links: string;
  Mountpoint: string;
  Name: string;
  Scope: string;
  Size: string;
  Status: string;
}

/** What docker compose writes on the volumes of a stack, and tools look for. */
export function labelsOf({ labels, stack, key, isAnonymous }: VolumeRecord): Record<string, string> {
  const own = {
    ...(stack ? { 'com.docker.compose.project': stack } : {}),
    ...(stack && key ? { 'com.docker.compose.volume': key } : {}),
    ...(isAnonymous ? { 'com.docker.volume.anonymous': '' } : {}),
  };
  return { ...own, ...labels };
}

export function volumeEntry(record: VolumeRecord): VolumeEntry {
  const none = 'N/A';
  return {
    Availability: none,
    Driver: 'local',
    Group: none,
    Labels: Object.entries(labelsOf(record))
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Links: none,
    Mountpoint: record.path,
    Name: record.name,
    Scope: 'local',
    Size: none,
    Status: none,
  };
}

/** `volume inspect`. */
export function volumeDocument(record: VolumeRecord): object {
  const labels = labelsOf(record);
  const options = record.config.driver_opts ?? {};
  const orNull = (map: object) => (Object.keys(map).length > 0 ? map : null);
  return {
    CreatedAt: record.createdAt,
    Driver: 'local',
    Labels: orNull(labels),
    Mountpoint: record.path,
    Name: record.name,
    Options: orNull(options),
    Scope: 'local',
  };
}
