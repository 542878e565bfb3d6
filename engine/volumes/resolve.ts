/** The `volumes` and `tmpfs` of a service, and the VOLUMEs of its image, as mounts with real sources. */
import { closeSync, fstatSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import type { ContainerRecord, ResolvedMount, VolumeRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Project, Service, ServiceVolume } from '../../schemas/project.ts';
import type { Host } from '../host.ts';
import { attachVolume, contentOf, localOf } from './attach.ts';
import { bindMount } from './bind.ts';
import { fillVolume } from './fill.ts';
import { imageMount } from './image.ts';
import { checkSubpath } from './subpath.ts';
import { parseTmpfs } from './tmpfs.ts';
import { imageView, lookUp } from './tree.ts';
import type { Volumes } from './volumes.ts';

export interface MountsRequest {
  project: Pick<Project, 'name' | 'volumes'>;
  service: string;
  config: Pick<Service, 'volumes' | 'tmpfs'>;
  image: StoredImage;
  /** Those that are mounted, by name. */
  mountedImages?: Map<string, StoredImage>;
  /** Whom the container runs as: who the owner of a bind with `x-idmap` is in there. */
  user?: { uid: number; gid: number };
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
  const toCheck: { record: VolumeRecord; subpath: string; target: string }[] = [];
  const mounts: ResolvedMount[] = [];
  /** Targets of mounts that are files. */
  const files = new Set<string>();
  const made: VolumeRecord[] = [];
  const attached: ResolvedMount[] = [];
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
      if (!taken.has(target)) mounts.push(anonymous(target));
    }
    for (const { record, subpath, target } of toCheck) {
      if (!checkSubpath(verbs, record, subpath, resource).isDirectory) files.add(target);
    }
    compareWithImage(mounts);
    for (const { record, target } of toFill) await fillVolume(verbs, record, image(), target);
  } catch (thrown) {
    for (const record of made) await volumes.remove(record);
    await volumes.release(attached);
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
    if (mount.type === 'image') {
      const mounted = request.mountedImages?.get(mount.source ?? '');
      const found = imageMount(verbs, mount, target, mounted, resource);
      if (!found.isDirectory) files.add(target);
      return found.mount;
    }
    if (mount.type === 'bind') return bindMount(verbs, mount, target, request.user, resource);
    const isNoCopy = mount.volume?.nocopy ?? false;
    if (!mount.source) return anonymous(target, readOnly, isNoCopy, mount.volume?.labels);
    const record = await named(mount.source);
    attached.push({ type: 'volume', name: record.name, source: '', target, readOnly, isAnonymous: false });
    await attachVolume(verbs, record);
    const source = contentOf(record);
    const subpath = mount.volume?.subpath;
    // What lies below a volume is there for others too: it is not made, nor filled.
    if (subpath) toCheck.push({ record, subpath, target });
    else if (!isNoCopy) toFill.push({ record, target });
    return {
      type: 'volume',
      name: record.name,
      source,
      target,
      readOnly,
      isAnonymous: false,
      ...(subpath ? { subpath } : {}),
      ...deviceOptions(record),
    };
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

  function anonymous(
    target: string,
    readOnly = false,
    isNoCopy = false,
    labels?: Record<string, string>,
  ): ResolvedMount {
    const former = request.replaces?.mounts.find(
      (one) => one.type === 'volume' && one.isAnonymous && one.target === target,
    );
    let record = former?.type === 'volume' ? volumes.get(former.name) : null;
    if (!record) {
      record = volumes.createAnonymous(request.project.name, labels);
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
      const isDirectory = mount.type === 'bind' ? statSync(mount.source).isDirectory() : !files.has(mount.target);
      if (isDirectory !== found.isDirectory) throw wrongKind(mount, isDirectory, resource);
    }
  }
}

/** A bind's own options, which each of its containers gets. */
function deviceOptions(record: VolumeRecord): { options?: string[] } {
  const local = localOf(record);
  const options = local.kind === 'bind' ? local.options.filter((one) => one !== 'rbind' && one !== 'defaults') : [];
  return options.length > 0 ? { options } : {};
}

const hasMode = (mount: Extract<ResolvedMount, { type: 'tmpfs' }>) =>
  mount.mode !== undefined || (mount.options ?? []).some((option) => option.startsWith('mode='));

function wrongKind(mount: ResolvedMount, isDirectory: boolean, resource: string): StackError {
  const names = { volume: 'a volume', tmpfs: 'a tmpfs', image: 'what is mounted of an image' };
  const source = mount.type === 'bind' ? mount.source : names[mount.type];
  const kind = (is: boolean) => (is ? 'a directory' : 'a file');
  return new StackError('volume.bind-kind', {
    message: `${resource}: ${source} is ${kind(isDirectory)}, ${mount.target} in the image is ${kind(!isDirectory)}`,
    hint: isDirectory
      ? `Mount a file there, or choose another target. Where ${source} was made by an earlier up in place of a missing file, remove it.`
      : 'Mount a directory there, or choose another target.',
    resource,
  });
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
