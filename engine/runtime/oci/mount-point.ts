/** Which mount a directory is in, and how many lie on it. */
import { readFileSync } from 'node:fs';

/** Of every mount of this mount namespace, covered ones too: where it is (proc_pid_mountinfo(5)). */
const mountPoints = () =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))));

/** How many mounts lie on one another at a directory. */
export const mountsAt = (directory: string): number => mountPoints().filter((point) => point === directory).length;

/** The mount that holds a directory: the longest mount point above it. */
export function holderOf(directory: string): string {
  return mountPoints()
    .filter((point) => directory === point || directory.startsWith(point === '/' ? '/' : `${point}/`))
    .reduce((longest, point) => (point.length > longest.length ? point : longest), '/');
}
