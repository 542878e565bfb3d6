/** The `volumes` and `tmpfs` of a service, and the VOLUMEs of its image, as mounts with real sources. */
import { chmodSync, closeSync, fstatSync, mkdirSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import type { ContainerRecord, ResolvedMount, VolumeRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Project, Service, ServiceVolume } from '../../schemas/project.ts';
import type { Host } from '../host.ts';
import { fillVolume } from './fill.ts';
import { parseTmpfs } from './tmpfs.ts';
import { imageView, lookUp } from './tree.ts';
import type { Volumes } from './volumes.ts';

export interface MountsRequest {
  project: Pick<Project, 'name' | 'volumes'>;
  service: string;
  config: Pick<Service, 'volumes' | 'tmpfs'>;
  image: StoredImage;
  /** Mounts of other containers (`volumes_from`); the service's own are over them. */
  inherited?: ResolvedMount[];
  /** The container this one takes the place of: its anonymous volumes are handed on. */
  replaces?: Pick<ContainerRecord, 'mounts'> | undefined;
}

/**
 * Mounts in the order they are made.
 * @throws volume.not-found, volume.bind-source, volume.bind-kind, config.value, host.disk-full
 */
export async function resolveMounts(host: Host, volumes: Volumes, request: MountsRequest): Promise<ResolvedMount[]> {
  const resource = `services.${request.service}.volumes`;
  const verbs = host.kernel.filesystem;
  let view: Fd | null | undefined;
  const image = () => {
    if (view === undefined) view = imageView(verbs, request.image);
    return view;
  };
  const toFill: { record: VolumeRecord; target: string }[] = [];
  const mounts: ResolvedMount[] = [];
  const made: VolumeRecord[] = [];
  try {
    for (const mount of request.config.volumes ?? []) mounts.push(await resolveOne(mount));
    for (const text of request.config.tmpfs ?? []) {
      const mount = parseTmpfs(text, `services.${request.service}.tmpfs`);
      mounts.push({ ...mount, target: targetPath(mount.target, `services.${request.service}.tmpfs`) });
    }
    rejectDuplicates(mounts, resource);
    const targets = new Set(mounts.map((mount) => mount.target));
    mounts.push(...(request.inherited ?? []).filter((mount) => !targets.has(mount.target)));
    const taken = new Set(mounts.map((mount) => mount.target));
    for (const path of Object.keys(request.image.config.config?.Volumes ?? {})) {
      const target = targetPath(path, `services.${request.service}.image`);
      if (!taken.has(target)) mounts.push(anonymous(target, false, false));
    }
    compareWithImage(mounts);
    for (const { record, target } of toFill) await fillVolume(verbs, record, image(), target);
  } catch (thrown) {
    for (const record of made) await volumes.remove(record);
    throw thrown;
  } finally {
    if (view !== undefined && view !== null) closeSync(view);
  }
  const depth = (mount: ResolvedMount) => mount.target.split('/').length;
  return mounts.sort((a, b) => depth(a) - depth(b));

  async function resolveOne(mount: ServiceVolume): Promise<ResolvedMount> {
    const target = targetPath(mount.target, resource);
    const readOnly = mount.read_only ?? false;
    if (mount.type === 'tmpfs') {
      const { size, mode } = mount.tmpfs ?? {};
      return {
        type: 'tmpfs',
        target,
        readOnly,
        ...(size === undefined ? {} : { size: Number(size) }),
        ...(mode === undefined ? {} : { mode }),
      };
    }
    if (mount.type === 'bind') {
      const source = bindSource(mount, resource);
      const propagation = mount.bind?.propagation;
      return { type: 'bind', source, target, readOnly, ...(propagation ? { propagation } : {}) };
    }
    const isNoCopy = mount.volume?.nocopy ?? false;
    if (!mount.source) return anonymous(target, readOnly, isNoCopy);
    const record = await named(mount.source);
    if (!isNoCopy) toFill.push({ record, target });
    return { type: 'volume', name: record.name, source: record.path, target, readOnly, isAnonymous: false };
  }

  async function named(key: string) {
    const definition = request.project.volumes[key];
    if (definition) return volumes.create(request.project.name, key, definition);
    throw new StackError('config.undefined-reference', {
      message: `${resource}: no volume "${key}" is defined`,
      hint: `Add it below the top-level \`volumes\`.`,
      resource,
    });
  }

  function anonymous(target: string, readOnly: boolean, isNoCopy: boolean): ResolvedMount {
    const former = request.replaces?.mounts.find(
      (one) => one.type === 'volume' && one.isAnonymous && one.target === target,
    );
    let record = former?.type === 'volume' ? volumes.get(former.name) : null;
    if (!record) {
      record = volumes.createAnonymous(request.project.name);
      made.push(record);
    }
    if (!isNoCopy) toFill.push({ record, target });
    return { type: 'volume', name: record.name, source: record.path, target, readOnly, isAnonymous: true };
  }

  /** A file cannot be mounted on a directory, nor the other way round: said here, where names are known. */
  function compareWithImage(all: ResolvedMount[]): void {
    for (const mount of all) {
      const isCovered = all.some((other) => other !== mount && `${mount.target}/`.startsWith(`${other.target}/`));
      const root = isCovered ? null : image();
      const found = root === null ? null : lookUp(verbs, root, mount.target);
      if (!found) continue;
      const { mode } = fstatSync(found.fd);
      closeSync(found.fd);
      // As docker: memory in place of a directory keeps the directory's mode.
      if (mount.type === 'tmpfs' && !hasMode(mount)) mount.mode = mode & 0o7777;
      const isDirectory = mount.type !== 'bind' || statSync(mount.source).isDirectory();
      if (isDirectory !== found.isDirectory) throw wrongKind(mount, isDirectory, resource);
    }
  }
}

const hasMode = (mount: Extract<ResolvedMount, { type: 'tmpfs' }>) =>
  mount.mode !== undefined || (mount.options ?? []).some((option) => option.startsWith('mode='));

function wrongKind(mount: ResolvedMount, isDirectory: boolean, resource: string): StackError {
  const source = { volume: 'a volume', tmpfs: 'a tmpfs', bind: mount.type === 'bind' ? mount.source : '' }[mount.type];
  const kind = (is: boolean) => (is ? 'a directory' : 'a file');
  return new StackError('volume.bind-kind', {
    message: `${resource}: ${source} is ${kind(isDirectory)}, ${mount.target} in the image is ${kind(!isDirectory)}`,
    hint: isDirectory
      ? `Mount a file there, or choose another target. Where ${source} was made by an earlier up in place of a missing file, remove it.`
      : 'Mount a directory there, or choose another target.',
    resource,
  });
}

/** The source as it is on the host; a missing directory is made where the short syntax, or create_host_path, asks for it. */
function bindSource(mount: ServiceVolume, resource: string): string {
  const source = mount.source ?? '';
  try {
    statSync(source);
    return source;
  } catch (thrown) {
    const errno = (thrown as NodeJS.ErrnoException).code;
    if (errno === 'ENOENT' && mount.bind?.create_host_path === true) {
      try {
        // The mode again, for the umask of whoever calls is not the container's.
        if (mkdirSync(source, { recursive: true })) chmodSync(source, 0o755);
        return source;
      } catch (cause) {
        const because = (cause as NodeJS.ErrnoException).code;
        throw new StackError('volume.bind-source', {
          message: `${resource}: ${source} does not exist and cannot be made: ${because}`,
          hint: 'Make the directory by hand, or correct the path.',
          resource,
          errno: because,
          cause,
        });
      }
    }
    throw new StackError('volume.bind-source', {
      message: `${resource}: the bind source ${source} ${errno === 'ENOENT' ? 'does not exist' : `cannot be used: ${errno}`}`,
      hint: 'Make it, correct the path, or add `bind: { create_host_path: true }` to have the directory made.',
      resource,
      errno,
      cause: thrown,
    });
  }
}

/** Clean and absolute. @throws config.value */
function targetPath(path: string, resource: string): string {
  const clean = posix.normalize(path).replace(/(.)\/$/, '$1');
  if (clean.startsWith('/') && clean !== '/') return clean;
  throw new StackError('config.value', {
    message: `${resource}: "${path}" cannot be mounted on`,
    hint: 'The target must be an absolute path in the container other than /.',
    resource,
  });
}

function rejectDuplicates(mounts: ResolvedMount[], resource: string): void {
  const seen = new Set<string>();
  for (const { target } of mounts) {
    if (seen.has(target)) {
      throw new StackError('config.value', {
        message: `${resource}: two mounts have the target ${target}`,
        hint: 'Keep one of them; `volumes` and `tmpfs` count together.',
        resource,
      });
    }
    seen.add(target);
  }
}
