/** What observe found: the machine's actual state as far as one stack is concerned. Built from the kernel and the records. */
import type { ContainerRecord, ContainerStatus, NetworkRecord, VolumeRecord } from './container.ts';

export interface ObservedContainer {
  record: ContainerRecord;
  status: ContainerStatus;
  /** The kernel's name of its network namespace (`net:[4026532281]`), where containers of the stack share one and it runs. */
  networkNamespace?: string;
}

export interface ObservedNetwork {
  record: NetworkRecord;
  /** False where the record exists and the bridge is gone (reboot, removed by hand). */
  exists: boolean;
  /** How the bridge differs from its record, in words: `its bridge st-1 is down`. Absent: not at all. */
  drift?: string[];
}

export interface ObservedVolume extends VolumeRecord {
  /** The record is there and the directory of the content is not: somebody removed it. */
  isContentGone?: true;
}

export interface ObservedImage {
  /** The name as the stack file writes it. */
  name: string;
  /** Digest of the configuration. */
  id: string;
  manifestDigest: string;
  /** What its name meant at the registry: the index's, where there is one. */
  digest?: string;
}

/** An image that is there and that a plan would build again. */
export interface ObservedBuild {
  /** The name as the stack file writes it. */
  image: string;
  /** What differs from what it was built from, in words: `Dockerfile`, `ARG A`. Absent where nobody knows what that was. */
  changed?: string[];
}

export interface Snapshot {
  stack: string;
  containers: ObservedContainer[];
  networks: ObservedNetwork[];
  volumes: ObservedVolume[];
  /** Images in the store, by the names the desired project uses. */
  images: ObservedImage[];
  /** Only of those that are asked to be built. */
  builds?: ObservedBuild[];
  /** Kernel objects of this stack that no record explains: cgroups, links, tables, directories. Removed by any up or down. */
  strays: Stray[];
}

export interface Stray {
  kind: 'cgroup' | 'link' | 'table' | 'directory' | 'process' | 'container';
  /** Path, interface name, table name or pid; the id for a container that has remains and no record. */
  name: string;
}
