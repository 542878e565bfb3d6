/** What a container of a bundle may leave behind, looked for in the kernel and on disk. */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repository } from '../harness/harness.ts';

export interface Traces {
  directory: string;
  root: string;
  rootfs: string;
  /** Part of the names of its cgroups. */
  tag: string;
}

const attempt = <T>(read: () => T, otherwise: T): T => {
  try {
    return read();
  } catch {
    return otherwise;
  }
};

/** A process that runs the bundle's busybox, a shim of ours, or a runtime that was told the bundle's directory. */
function processes({ rootfs, directory }: Traces): string[] {
  const busybox = statSync(join(rootfs, 'bin/busybox'));
  const shim = join(repository, 'build/Release/stack_shim');
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      const exe = attempt(() => statSync(`/proc/${pid}/exe`), undefined);
      const words = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '), '');
      const isOurs =
        (exe && exe.ino === busybox.ino && exe.dev === busybox.dev) ||
        attempt(() => readlinkSync(`/proc/${pid}/exe`), '').startsWith(shim) ||
        words.includes(`${directory}/`);
      return isOurs ? [`process left: ${pid} ${words}`] : [];
    });
}

/** Directories of any hierarchy, at its top or below /stack-runtime, that carry the tag. */
export function cgroupsNamed(tag: string): string[] {
  const top = '/sys/fs/cgroup';
  const hierarchies = [top, ...readdirSync(top).map((name) => join(top, name))];
  const places = hierarchies.flatMap((one) => [one, join(one, 'stack-runtime')]);
  return places.flatMap((place) =>
    attempt(() => readdirSync(place), [])
      .filter((name) => name.includes(tag))
      .map((name) => join(place, name)),
  );
}

function now(traces: Traces): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const states = existsSync(traces.root) ? readdirSync(traces.root) : [];
  return [
    ...processes(traces),
    ...mounts.filter((line) => line.includes(traces.directory)).map((line) => `mount left: ${line}`),
    ...cgroupsNamed(traces.tag).map((path) => `cgroup left: ${path}`),
    ...states.map((name) => `state left: ${name}`),
    ...readdirSync(traces.directory)
      .filter((name) => name.endsWith('.new'))
      .map((name) => `file left: ${name}`),
  ];
}

/** What was killed may take a moment to be gone. */
export async function remains(traces: Traces): Promise<string[]> {
  for (let waitMs = 1; ; waitMs *= 2) {
    const left = now(traces);
    if (left.length === 0 || waitMs > 500) return left;
    await sleep(waitMs);
  }
}
