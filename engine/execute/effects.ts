/** What the executor needs of the engine's rooms, no wider than it uses. The tests' in-memory world implements the same. */
import type { ContainerRecord, ContainerStatus, NetworkRecord, VolumeRecord } from '../../schemas/container.ts';
import type { StackError } from '../../schemas/errors.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Network, Project, Volume } from '../../schemas/project.ts';
import type { Stray } from '../../schemas/snapshot.ts';
import type { Containers, CreateRequest } from '../containers/containers.ts';

export interface PullProgress {
  detail: string;
  /** Bytes. */
  current?: number;
  total?: number;
}

export interface Effects {
  containers: {
    create(request: CreateRequest): Promise<ContainerRecord>;
    start(
      record: ContainerRecord,
      options?: { signal?: AbortSignal; project?: Project; onWarning?: (warning: StackError) => void },
    ): Promise<void>;
    stop(
      record: ContainerRecord,
      options?: { timeoutMs?: number; onWarning?: (warning: StackError) => void },
    ): Promise<unknown>;
    remove(record: ContainerRecord, options?: { removeAnonymousVolumes?: boolean }): Promise<void>;
    status(record: ContainerRecord): ContainerStatus;
    watch: Containers['watch'];
  };
  images: {
    /** The image as the store has it; throws `image.not-found` where it does not. */
    get(name: string, platform?: string): Promise<StoredImage>;
    pull(
      name: string,
      options: {
        platform?: string;
        policy: 'missing' | 'always';
        signal: AbortSignal;
        onProgress: (progress: PullProgress) => void;
      },
    ): Promise<unknown>;
    /** Builds the image of a service and gives it its names; throws as the builder does, then nothing is named. */
    build(
      project: Project,
      service: string,
      options: {
        signal: AbortSignal;
        onProgress: (progress: PullProgress) => void;
        onWarning: (error: StackError) => void;
      },
    ): Promise<unknown>;
  };
  networks: {
    /**
     * Makes the network, or what is missing of it where a record exists: a bridge that a reboot took. `isRepair`: containers
     * run on it, and get their rules and names again.
     */
    create(stack: string, key: string, network: Network, isRepair?: boolean): Promise<NetworkRecord>;
    /** Writes down what only the record says. */
    update(stack: string, network: Network): Promise<NetworkRecord>;
    remove(record: NetworkRecord): Promise<void>;
  };
  volumes: {
    create(stack: string, key: string, volume: Volume): Promise<VolumeRecord>;
    /** Writes down what only the record says. */
    update(stack: string, volume: Volume): Promise<VolumeRecord>;
    remove(record: VolumeRecord): Promise<void>;
  };
  strays: {
    remove(stack: string, stray: Stray): Promise<void>;
  };
  /** The last lines a container wrote, for the error of a container that failed. */
  lastLines?(record: ContainerRecord, count: number): string[];
}
