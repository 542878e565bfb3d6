/** What containers and volumes take of the disk. */
import { readdirSync } from 'node:fs';
import type { ContainerRecord } from '../schemas/container.ts';
import { measure } from './images/measure.ts';
import type { Layout } from './state/layout.ts';
import { readVolume } from './volumes/records.ts';

export interface ContainerUsage {
  record: ContainerRecord;
  isRunning: boolean;
  /** Bytes of disk of what it wrote: its upper directory and its log. */
  size: number;
}

export interface VolumeUsage {
  name: string;
  /** How many containers mount it. */
  links: number;
  /** Bytes of this disk: none where it is a file system of its own. */
  size: number;
}

export function containerUsage(layout: Layout, { record, isRunning }: Omit<ContainerUsage, 'size'>): ContainerUsage {
  return { record, isRunning, size: measure(layout.containerDir(record.stack, record.id)) };
}

/** `records`: those of every stack. */
export function volumeUsage(layout: Layout, records: ContainerRecord[]): VolumeUsage[] {
  const links = new Map<string, number>();
  for (const { mounts } of records) {
    for (const mount of mounts) {
      if (mount.type === 'volume') links.set(mount.name, (links.get(mount.name) ?? 0) + 1);
    }
  }
  let names: string[];
  try {
    names = readdirSync(layout.volumes);
  } catch {
    return [];
  }
  return names
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => ({ name, links: links.get(name) ?? 0, size: sizeOf(layout, name) }));
}

function sizeOf(layout: Layout, name: string): number {
  let isElsewhere = false;
  try {
    isElsewhere = readVolume(layout, name)?.config.driver_opts?.device !== undefined;
  } catch {
    // A damaged record: its content counts.
  }
  return isElsewhere ? 0 : measure(`${layout.volumeDir(name)}/_data`);
}
