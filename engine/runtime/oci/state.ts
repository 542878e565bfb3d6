/**
 * What is known of the runtime's containers, on disk: a directory each, with the state, a copy of config.json, the path of
 * the cgroup that is the container's own, and the socket `start` while it waits. Source: runtime-spec runtime.md "State".
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';
import type { Hooks } from '../../../schemas/oci-runtime.ts';
import { isFrozen } from '../cgroup/cgroup.ts';

/** `disabled`: a container is in no cgroup of its own. */
export type CgroupManager = 'cgroupfs' | 'systemd' | 'disabled';

export type ContainerStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** state.json of a container's directory. */
export interface ContainerState {
  ociVersion: string;
  id: string;
  /** 0 until the process exists. */
  pid: number;
  /** Clock ticks after boot, /proc/<pid>/stat: tells the process from a later one of its number. */
  startTime: number;
  bundle: string;
  rootfs: string;
  /** ISO 8601. */
  created: string;
  owner: string;
  annotations: Record<string, string>;
  /** Absolute below the top of each hierarchy; '' for a container that shares the caller's. */
  cgroupsPath: string;
  cgroupManager: CgroupManager;
  /** linux.cgroupsPath as written: with systemd it names the unit. */
  cgroupsAsked?: string | undefined;
  /** systemd made the unit. */
  hasUnit?: boolean;
  hooks: Hooks;
  /** The root is mounted in the caller's own mount namespace. */
  isMountedOutside: boolean;
  /** Then: how many mounts were at {@link rootfs} before, which are the caller's. */
  mountsBefore?: number;
  /** A resctrl group that goes with the container. */
  resctrl?: string;
  /** The operation `create` has ended: before that it is still creating, whatever of it is there. */
  isCreated?: boolean;
}

/** The document of `state`, and what hooks read on stdin. */
export interface StateDocument {
  ociVersion: string;
  id: string;
  status: ContainerStatus;
  pid?: number;
  bundle: string;
  annotations?: Record<string, string>;
}

const files = { state: 'state.json', config: 'config.json', start: 'start', cgroup: 'cgroup' } as const;

export class States {
  readonly root: string;

  /** @param root the directory of `--root`. */
  constructor(root: string) {
    this.root = root;
  }

  directory(id: string): string {
    return join(this.root, checkedId(id));
  }

  /** Takes the id. @throws state.exists where a container has it. */
  reserve(id: string, config: string): string {
    const directory = this.directory(id);
    mkdirSync(this.root, { recursive: true, mode: 0o711 });
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      throw new StackError('state.exists', {
        message: `A container with the id ${id} exists already.`,
        hint: `Choose another id, or delete that one: stack-runtime delete ${id}`,
        resource: `container ${id}`,
        cause,
      });
    }
    writeFileSync(join(directory, files.config), config, { mode: 0o600 });
    return directory;
  }

  write(state: ContainerState): void {
    const file = join(this.directory(state.id), files.state);
    writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  /** @throws state.not-found, state.damaged */
  read(id: string): ContainerState {
    const file = join(this.directory(id), files.state);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (cause) {
      throw new StackError('state.not-found', {
        // The words that containerd and podman look for.
        message: `There is no ${id}: container does not exist.`,
        hint: 'stack-runtime list shows those that do.',
        resource: `container ${id}`,
        cause,
      });
    }
    try {
      return JSON.parse(text) as ContainerState;
    } catch (cause) {
      throw new StackError('state.damaged', {
        message: `${file} is not JSON: ${(cause as Error).message}.`,
        hint: `Remove the container with its remains: stack-runtime delete --force ${id}`,
        cause,
      });
    }
  }

  /** config.json as it was when the container was created. */
  config(id: string): string {
    return readFileSync(join(this.directory(id), files.config), 'utf8');
  }

  /** Before it is made. A file of its own: it must be known where the state cannot be read, too. */
  ownCgroup({ id, cgroupsPath }: ContainerState): void {
    if (cgroupsPath) writeFileSync(join(this.directory(id), files.cgroup), cgroupsPath, { mode: 0o600 });
  }

  /** The cgroup that was made for the container, and may be emptied and removed with it; '' where there is none. */
  ownedCgroup(id: string): string {
    try {
      return readFileSync(join(this.directory(id), files.cgroup), 'utf8');
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
      return '';
    }
  }

  remove(id: string): void {
    rmSync(this.directory(id), { recursive: true, force: true });
  }

  /** Ids, sorted. */
  list(): string[] {
    return existsSync(this.root)
      ? readdirSync(this.root)
          .filter((id) => existsSync(join(this.root, id, files.state)))
          .sort()
      : [];
  }

  status(state: ContainerState): ContainerStatus {
    if (state.pid === 0) return 'creating';
    if (!isAlive(state)) return 'stopped';
    if (!state.isCreated) return 'creating';
    // Before the socket is looked for: one that waits for its start may be paused, too.
    if (state.cgroupsPath && isFrozen(state.cgroupsPath)) return 'paused';
    return existsSync(join(this.directory(state.id), files.start)) ? 'created' : 'running';
  }
}

/** @param asked what is to be done with it: `paused`. @throws host.cgroup where the container has none */
export function cgroupOf({ id, cgroupsPath }: ContainerState, asked: string): string {
  // '' is the top of the hierarchies, with everything of the machine in it.
  if (cgroupsPath) return cgroupsPath;
  throw new StackError('host.cgroup', {
    message: `The container ${id} has no cgroup of its own, and cannot be ${asked}.`,
    hint: 'It was created with --cgroup-manager disabled; create it with cgroupfs or systemd.',
    resource: `container ${id}`,
    operation: 'cgroup',
  });
}

/** Whether the process of the container itself still runs: neither gone, nor a zombie, nor another of its number. */
export function isAlive({ pid, startTime }: Pick<ContainerState, 'pid' | 'startTime'>): boolean {
  const now = processStat(pid);
  return now !== undefined && now.startTime === startTime && now.state !== 'Z' && now.state !== 'X';
}

/** Fields 3 and 22 of /proc/<pid>/stat; undefined where there is no such process. */
export function processStat(pid: number): { state: string; startTime: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, parentheses too.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, startTime: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

export function document(state: ContainerState, status: ContainerStatus): StateDocument {
  return {
    ociVersion: state.ociVersion,
    id: state.id,
    status,
    ...(status === 'stopped' ? { pid: 0 } : { pid: state.pid }),
    bundle: state.bundle,
    annotations: state.annotations,
  };
}

/** The document around its pid, for hooks that run where another number stands for the process. */
export function documentText(state: ContainerState, status: ContainerStatus): readonly [string, string] {
  const { pid: _, ...rest } = document(state, status);
  return ['{"pid":', `,${JSON.stringify(rest).slice(1)}`];
}

/** @throws config.value */
function checkedId(id: string): string {
  if (/^[\w+.-]+$/.test(id) && id !== '.' && id !== '..' && id.length <= 255) return id;
  throw new StackError('config.value', {
    message: `"${id}" is no id of a container.`,
    hint: 'An id is made of letters, digits and the characters _ + . - and has 255 characters at most.',
  });
}
