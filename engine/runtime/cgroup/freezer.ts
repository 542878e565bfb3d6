/** A container's processes stopped and let go: the v1 freezer where it is mounted, else cgroup.freeze of v2. */
import { existsSync, watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from '../../../schemas/errors.ts';
import { failed, read, Writer } from './files.ts';
import { type Hierarchies, hierarchies, v1Directory } from './hierarchies.ts';

/** How a kernel's freezer is worked. Source: admin-guide/cgroup-v1/freezer-subsystem, admin-guide/cgroup-v2 "cgroup.freeze". */
export interface Freezer {
  /** Written to ask for it. */
  file: string;
  values: { frozen: string; thawed: string };
  /** True where every process has stopped. */
  isSettled(): boolean;
  /** True where it was asked for, whether all have stopped yet or not. */
  isAsked(): boolean;
  /** Changes its content when the processes have stopped; v1 has no such file. */
  events: string | null;
}

/** Null where the container's cgroup is in no hierarchy that can stop it. */
export function freezerOf(path: string, all: Hierarchies): Freezer | null {
  const v1 = v1Directory(all, 'freezer', path);
  if (v1 && existsSync(v1)) {
    const file = `${v1}/freezer.state`;
    return {
      file,
      values: { frozen: 'FROZEN', thawed: 'THAWED' },
      // Reading it is what makes the kernel look whether FREEZING has become FROZEN.
      isSettled: () => read(file).trim() === 'FROZEN',
      isAsked: () => read(`${v1}/freezer.self_freezing`).trim() === '1',
      events: null,
    };
  }
  const v2 = all.v2 && `${all.v2.path}${path}`;
  if (!v2 || !existsSync(`${v2}/cgroup.freeze`)) return null;
  return {
    file: `${v2}/cgroup.freeze`,
    values: { frozen: '1', thawed: '0' },
    isSettled: () => /^frozen 1$/m.test(read(`${v2}/cgroup.events`)),
    isAsked: () => read(`${v2}/cgroup.freeze`).trim() === '1',
    events: `${v2}/cgroup.events`,
  };
}

/** Writes the wish and waits for nothing. @throws host.cgroup */
export function askFreezer(freezer: Freezer, frozen: boolean): void {
  const value = frozen ? freezer.values.frozen : freezer.values.thawed;
  try {
    using files = new Writer();
    files.write({ file: freezer.file, value });
  } catch (thrown) {
    throw failed(thrown, `write ${value} to ${freezer.file}`);
  }
}

/**
 * v1: a frozen process takes no signal, SIGKILL neither, and what froze it need not be the container's cgroup: one that
 * the container made below, or one that somebody moved it to. It is moved back to the container's own, which is thawed,
 * and dies there of what it was sent; others that are frozen with it stay so. v2 lets a frozen process die.
 */
export function releaseToDie(pid: number, path: string, all: Hierarchies = hierarchies()): void {
  const own = v1Directory(all, 'freezer', path);
  if (!own || !existsSync(own)) return;
  // A move costs some 10 ms, and is needed hardly ever.
  const now = /^\d+:(?:[^:]+,)?freezer(?:,[^:]+)?:(.*)$/m.exec(read(`/proc/${pid}/cgroup`))?.[1];
  if (now === undefined || now === path) return;
  try {
    using files = new Writer();
    files.write({ file: `${own}/freezer.state`, value: 'THAWED' });
    files.write({ file: `${own}/cgroup.procs`, value: String(pid) });
  } catch {
    // It has ended, or the cgroup goes: whoever waits for its end tells.
  }
}

/** True where the container's own cgroup is frozen, or is about to be. */
export function isFrozen(path: string, all: Hierarchies = hierarchies()): boolean {
  return freezerOf(path, all)?.isAsked() ?? false;
}

/**
 * Stops every process of the container, or lets them go on; what is so already stays so. Waits until all have stopped,
 * `timeoutMs` at most; where they do not, they go on.
 * @throws host.kernel-feature without a freezer, host.cgroup where a process does not stop or the cgroup is gone.
 */
export async function freezeCgroups(
  path: string,
  frozen: boolean,
  all: Hierarchies = hierarchies(),
  timeoutMs = 10_000,
): Promise<void> {
  const freezer = freezerOf(path, all);
  if (!freezer) throw noFreezer(path, all);
  askFreezer(freezer, frozen);
  if (!frozen) return;
  if (await (freezer.events ? settledByEvent(freezer, timeoutMs) : settledByLooking(freezer, timeoutMs))) return;
  askFreezer(freezer, false);
  throw new StackError('host.cgroup', {
    message: `the processes of the cgroup ${path} did not stop within ${timeoutMs / 1000} s; they go on`,
    hint: 'A process that waits for a device or is traced cannot be frozen; see what it waits for in /proc/<pid>/stack.',
    operation: `write ${freezer.values.frozen} to ${freezer.file}`,
    errno: 'EBUSY',
  });
}

/** v2: the kernel tells a watcher of cgroup.events. */
async function settledByEvent({ events, isSettled }: Freezer, timeoutMs: number): Promise<boolean> {
  if (isSettled()) return true;
  return new Promise((resolve, reject) => {
    const watcher = watch(events!);
    const timer = setTimeout(() => done(isSettled()), timeoutMs);
    const done = (is: boolean) => {
      clearTimeout(timer);
      watcher.close();
      resolve(is);
    };
    const look = () => isSettled() && done(true);
    watcher.on('change', look);
    watcher.on('error', (thrown) => {
      clearTimeout(timer);
      reject(failed(thrown, `watch ${events}`));
    });
    // What changed before the watch was in place told nobody.
    look();
  });
}

/**
 * v1 has no event. A process born while the others were told may keep it at FREEZING: asking again reaches it, and
 * letting all go for a moment frees those that wait for one another (vfork).
 */
async function settledByLooking(freezer: Freezer, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (let round = 1; performance.now() < end; round++) {
    if (freezer.isSettled()) return true;
    if (round % 50 === 0) {
      askFreezer(freezer, false);
      await sleep(1);
    }
    askFreezer(freezer, true);
    if (freezer.isSettled()) return true;
    await sleep(Math.min(round, 20));
  }
  return freezer.isSettled();
}

function noFreezer(path: string, all: Hierarchies): StackError {
  const hasOne = v1Directory(all, 'freezer', path) !== null || all.v2 !== null;
  const code = hasOne ? 'host.cgroup' : 'host.kernel-feature';
  return new StackError(code, {
    message: hasOne
      ? `the cgroup ${path} is in no hierarchy that can be frozen: it is gone, or the kernel has no cgroup.freeze (Linux 5.2)`
      : 'this machine has neither the freezer of cgroup v1 nor cgroup.freeze of v2',
    hint: hasOne ? 'Ask for the state of the container.' : 'Mount cgroup2, or the v1 controller freezer.',
    operation: 'freeze',
    errno: 'ENOENT',
  });
}
