/** Marks of what is whole in the store: files beside it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** It is on disk. */
export const doneMark = 'done';

let fresh: string | undefined;

/** It may not have reached the disk, and is as good as that until the machine stops: it names the boot. Source: random(4) boot_id. */
export function freshMark(): string {
  fresh ??= `fresh-${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
  return fresh;
}

/** Whether an unpacked layer is whole, by its marks. @param directory the one above its `fs` */
export function isWholeLayer(directory: string): boolean {
  return existsSync(join(directory, doneMark)) || existsSync(join(directory, freshMark()));
}
