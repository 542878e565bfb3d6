/** The cgroups of containers: made, asked, emptied, removed, found again. One directory per container and hierarchy. */
import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asStackError, StackError } from '../../../schemas/errors.ts';
import type { Fd, ProcessVerbs } from '../../../schemas/kernel.ts';
import { type Hierarchies, hierarchies, v1Directory } from './hierarchies.ts';
import type { CgroupPlan, Write } from './plan.ts';

export { type Hierarchies, hierarchies } from './hierarchies.ts';
export { type CgroupPlan, cgroupPlan } from './plan.ts';

/** `linux.cgroupsPath` of a container: the stack's and the container's identity in the kernel's own tree. */
export function cgroupsPath(stack: string, id: string, parent: string): string {
  return `${stackCgroup(stack, parent)}/${id}`;
}

function stackCgroup(stack: string, parent: string): string {
  return `/${`${parent}/${stack}`.split('/').filter(Boolean).join('/')}`;
}

/**
 * Makes the directories and writes the limits. What already exists is used as it is.
 * @throws host.cgroup naming the file and what was written.
 */
export function makeCgroups(
  plan: CgroupPlan,
  verbs: Pick<ProcessVerbs, 'loadDeviceFilter' | 'attachDeviceFilter'>,
): void {
  for (const directory of plan.directories) {
    for (let tries = 1; ; tries++) {
      try {
        makeDirectory(directory);
        break;
      } catch (thrown) {
        if (errnoOf(thrown) !== 'ENOENT' || tries > 3) throw failed(thrown, `mkdir ${directory}`);
        // Again where a parent goes between the two: another stack's `down` removes it while it is empty.
        prepareParents(plan);
      }
    }
  }
  using files = new Writer();
  for (const write of plan.writes) {
    try {
      files.write(write);
    } catch {
      if (write.isOptional) continue;
      // A parent made by another command that has not prepared it yet: prepare it, once more.
      prepareParents(plan);
      try {
        files.write(write);
      } catch (again) {
        throw failed(again, `write ${write.value} to ${write.file}`);
      }
    }
  }
  if (plan.deviceFilter && plan.unified) attachFilter(plan.unified, plan.deviceFilter, verbs);
}

/** Programs by their bytes: containers of the same rules share one. Held for the life of the process. */
const programs = new Map<string, Fd>();

function attachFilter(
  directory: string,
  filter: Uint8Array,
  verbs: Pick<ProcessVerbs, 'loadDeviceFilter' | 'attachDeviceFilter'>,
): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const key = Buffer.from(filter).toString('latin1');
    if (!programs.has(key)) programs.set(key, verbs.loadDeviceFilter(filter));
    verbs.attachDeviceFilter(fd, programs.get(key)!);
  } catch (thrown) {
    throw failed(thrown, `attach the device filter to ${directory}`);
  } finally {
    closeSync(fd);
  }
}

function prepareParents(plan: CgroupPlan): void {
  for (const { path, writes } of plan.parents) {
    try {
      makeDirectory(path);
    } catch (thrown) {
      throw failed(thrown, `mkdir ${path}`);
    }
    for (const write of writes) {
      try {
        writeFile(write);
      } catch (thrown) {
        if (!write.isOptional) throw failed(thrown, `write ${write.value} to ${write.file}`);
      }
    }
  }
}

/**
 * Removes a container's cgroups and whatever it made below them. What still runs in them is killed, and waited for:
 * some 4 s at most. @throws host.cgroup where one stays busy.
 */
export async function removeCgroups(path: string, all: Hierarchies = hierarchies()): Promise<void> {
  const left = new Set(directoriesOf(path, all));
  for (let waitMs = 1; waitMs < 4000; waitMs *= 2) {
    for (const directory of left) if (removeTree(directory)) left.delete(directory);
    if (left.size === 0) return;
    killCgroup(path, all);
    await sleep(waitMs);
  }
  throw new StackError('host.cgroup', {
    message: `the cgroup ${[...left][0]} still has processes: ${cgroupProcesses(path, all).join(' ')}`,
    hint: 'A process in uninterruptible sleep cannot be killed; remove the container again once it is gone.',
    operation: 'rmdir',
    errno: 'EBUSY',
  });
}

/** Removes the stack's own directories, and the parent, where nothing is left in them. */
export function removeStackCgroups(stack: string, parent: string, all: Hierarchies = hierarchies()): void {
  for (let path = stackCgroup(stack, parent); path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
    for (const directory of directoriesOf(path, all)) tryRmdir(directory);
  }
}

/** Ids of the containers that have a cgroup below the stack's, in any hierarchy. */
export function containerCgroups(stack: string, parent: string, all: Hierarchies = hierarchies()): string[] {
  return [...new Set(directoriesOf(stackCgroup(stack, parent), all).flatMap(children))].sort();
}

/** Pids of every process in the container's cgroup and below it. */
export function cgroupProcesses(path: string, all: Hierarchies = hierarchies()): number[] {
  const top = whole(path, all);
  if (!top) return [];
  const below = (directory: string): number[] => [
    ...read(`${directory}/cgroup.procs`).split('\n').filter(Boolean).map(Number),
    ...children(directory).flatMap((name) => below(`${directory}/${name}`)),
  ];
  return [...new Set(below(top))];
}

/** SIGKILL to everything in the container's cgroup: by cgroup.kill (Linux ≥ 5.14), else one process after the other. */
export function killCgroup(path: string, all: Hierarchies = hierarchies()): void {
  if (all.v2) {
    try {
      writeFile({ file: `${all.v2.path}${path}/cgroup.kill`, value: '1' });
      return;
    } catch {
      // An older kernel, or a process that never was in the v2 hierarchy.
    }
  }
  // Children may be born while the list is walked: until none is left, bounded.
  for (let round = 0; round < 100; round++) {
    const pids = cgroupProcesses(path, all);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Ended by itself.
      }
    }
  }
}

/** How often the kernel killed a process of the container for want of memory. */
export function oomKills(path: string, all: Hierarchies = hierarchies()): number {
  const v1 = v1Directory(all, 'memory', path);
  const text = v1 ? read(`${v1}/memory.oom_control`) : all.v2 ? read(`${all.v2.path}${path}/memory.events`) : '';
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** The directory to look for processes in: every process of a container is in each of its hierarchies. */
function whole(path: string, all: Hierarchies): string | null {
  return v1Directory(all, 'pids', path) ?? ((all.v1[0] ?? all.v2) ? (all.v1[0] ?? all.v2)!.path + path : null);
}

const directoriesOf = (path: string, all: Hierarchies) =>
  [...all.v1, ...(all.v2 ? [all.v2] : [])].map((one) => one.path + path);

/** False where something in it is still busy. */
function removeTree(directory: string): boolean {
  if (tryRmdir(directory)) return true;
  for (const name of children(directory)) removeTree(`${directory}/${name}`);
  return tryRmdir(directory);
}

/** True where the directory is gone. */
function tryRmdir(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (thrown) {
    return errnoOf(thrown) === 'ENOENT';
  }
}

function children(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, 0o755);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
  }
}

/** One write(2) a value, as the files of a cgroup want it; lines for one and the same file go through one descriptor. */
class Writer {
  #file = '';
  #fd = -1;

  write({ file, value }: Write): void {
    if (file !== this.#file) {
      this[Symbol.dispose]();
      this.#fd = openSync(file, constants.O_WRONLY);
      this.#file = file;
    }
    writeSync(this.#fd, value);
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#file = '';
  }
}

function writeFile(write: Write): void {
  using files = new Writer();
  files.write(write);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

const errnoOf = (thrown: unknown) => (thrown as NodeJS.ErrnoException).code;

function failed(thrown: unknown, operation: string): StackError {
  const errno = errnoOf(thrown);
  const hint =
    errno === 'EROFS' || errno === 'EACCES' || errno === 'EPERM'
      ? 'The cgroup file systems must be writable by root; inside another container they often are not.'
      : 'Compare the limit with what the machine has (cpus, memory), and the cgroup files with cgroups(7).';
  return asStackError(thrown, 'host.cgroup', { message: `${operation}: ${errno}`, operation, errno, hint });
}
