/** Volumes as the engine sees them: made, found, filled from images, mounted, removed. */
import { randomBytes } from 'node:crypto';
import type { ContainerRecord, ResolvedMount, VolumeRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Volume } from '../../schemas/project.ts';
import type { Host } from '../host.ts';
import { bytes } from '../runtime/spec-resources.ts';
import { limit, unlimit } from '../state/quota.ts';
import { attachVolume, detachVolume, isMounted, locked } from './attach.ts';
import { deleteVolume, listVolumes, readVolume, rewriteVolume, usersOf, withContent, writeVolume } from './records.ts';
import { type MountsRequest, resolveMounts } from './resolve.ts';

export type { MountsRequest } from './resolve.ts';

export interface Volumes {
  /** Makes a volume of a stack; one of that name that already exists is used as it is, and gets a folder where its own is gone. @throws volume.not-found for a missing external one. */
  create(stack: string, key: string, volume: Volume): Promise<VolumeRecord>;
  /** Writes what only the record says: labels. @throws volume.not-found */
  update(stack: string, volume: Volume): Promise<VolumeRecord>;
  createAnonymous(stack: string, labels?: Record<string, string>): VolumeRecord;
  get(name: string): VolumeRecord | null;
  /** Names of the containers, of any stack, that have the volume. */
  users(name: string): string[];
  /** By name; of one stack, or all. */
  list(stack?: string): VolumeRecord[];
  /** Deletes it and its content. @throws volume.in-use naming the containers. */
  remove(record: VolumeRecord): Promise<void>;
  /** Deletes the anonymous volumes of a container that no other one mounts. */
  removeAnonymous(container: Pick<ContainerRecord, 'name' | 'mounts'>): Promise<void>;
  /** Mounts what the volumes among these lie in, where it is not mounted. @throws volume.mount, host.kernel-feature */
  attach(mounts: ResolvedMount[]): Promise<void>;
  /** Takes away again what of it no container has any more. */
  release(mounts: ResolvedMount[]): Promise<void>;
  /** The same for every volume of a stack: a command that was killed may have mounted one for a container it never made. */
  releaseStack(stack: string): Promise<void>;
  /** The mounts of one container, parents before children; missing volumes are made, empty ones filled from the image. */
  resolve(request: MountsRequest): Promise<ResolvedMount[]>;
}

export function createVolumes(host: Host): Volumes {
  const { layout } = host;
  const verbs = host.kernel.filesystem;
  const recordsOf = (mounts: ResolvedMount[]) =>
    mounts.flatMap((mount) => (mount.type === 'volume' ? (readVolume(layout, mount.name) ?? []) : []));
  const release = async (records: VolumeRecord[]) => {
    for (const record of records) {
      if (record.config.driver_opts === undefined || !isMounted(record.path)) continue;
      await locked(verbs, record, async () => {
        if (usersOf(layout, record.name).length === 0) detachVolume(verbs, record);
      }).catch(unlessGone);
    }
  };
  const volumes: Volumes = {
    async create(stack, key, volume) {
      const existing = readVolume(layout, volume.name);
      if (existing) return withContent(existing);
      if (volume.external) {
        throw new StackError('volume.not-found', {
          message: `volumes.${key}: the external volume "${volume.name}" does not exist`,
          hint: 'External volumes are never made by up: create it first, or remove `external: true`.',
          resource: `volumes.${key}`,
        });
      }
      const made = writeVolume(layout, {
        key,
        name: volume.name,
        stack,
        isAnonymous: false,
        labels: volume.labels ?? {},
        config: volume,
      });
      const size = volume.driver_opts?.size;
      if (size === undefined) return made;
      const resource = stack ? `volumes.${key}.driver_opts.size` : `volume ${made.name}`;
      try {
        limit(verbs, [made.path], { name: made.name, bytes: bytes(size, resource), resource });
      } catch (thrown) {
        await deleteVolume(layout, made.name);
        throw thrown;
      }
      return made;
    },
    async update(stack, volume) {
      const record = readVolume(layout, volume.name);
      if (!record || record.stack !== stack) {
        throw new StackError('volume.not-found', {
          message: `the volume ${volume.name} is not there any more`,
          hint: 'Run the command again: it makes it anew.',
          resource: `volume ${volume.name}`,
        });
      }
      return rewriteVolume(layout, { ...record, labels: volume.labels ?? {}, config: volume });
    },
    createAnonymous(stack, labels = {}) {
      const name = randomBytes(32).toString('hex');
      return writeVolume(layout, { key: '', name, stack, isAnonymous: true, labels, config: { name } });
    },
    get: (name) => readVolume(layout, name),
    users: (name) => usersOf(layout, name),
    list: (stack) => listVolumes(layout).filter((one) => stack === undefined || one.stack === stack),
    async remove(record) {
      const users = usersOf(layout, record.name);
      if (users.length > 0) {
        throw new StackError('volume.in-use', {
          message: `volume ${record.name} is in use by ${users.join(', ')}`,
          hint: 'Remove these containers first.',
          resource: `volume ${record.name}`,
        });
      }
      await locked(verbs, record, async () => detachVolume(verbs, record)).catch(unlessGone);
      await deleteVolume(layout, record.name);
      if (record.config.driver_opts?.size) unlimit(verbs, layout.volumes, record.name);
    },
    async attach(mounts) {
      for (const record of recordsOf(mounts)) await attachVolume(verbs, record);
    },
    release: (mounts) => release(recordsOf(mounts)),
    releaseStack: (stack) => release(volumes.list(stack)),
    async removeAnonymous(container) {
      for (const mount of container.mounts) {
        if (mount.type !== 'volume' || !mount.isAnonymous) continue;
        const others = usersOf(layout, mount.name).filter((name) => name !== container.name);
        if (others.length === 0) await deleteVolume(layout, mount.name);
      }
    },
    resolve: (request) => resolveMounts(host, volumes, request),
  };
  return volumes;
}

/** Another command removed it first. */
function unlessGone(thrown: unknown): void {
  if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
}
