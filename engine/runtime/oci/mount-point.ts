/** Which mount a directory is in. */
import { readFileSync } from 'node:fs';

/** The mount that holds a directory: the longest mount point above it (proc_pid_mountinfo(5)). */
export function holderOf(directory: string): string {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))));
  return points
    .filter((point) => directory === point || directory.startsWith(point === '/' ? '/' : `${point}/`))
    .reduce((longest, point) => (point.length > longest.length ? point : longest), '/');
}
