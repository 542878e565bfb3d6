/**
 * What was added to the store reaches the disk after the command that added it answered, as with other files: nobody waits for
 * it. A process of its own does, and then gives the marks of what it found a name that is believed after the machine started
 * anew (native/shim/settle.cc). Where that process is killed, the next command that adds something settles both.
 */
import { closeSync } from 'node:fs';
import type { ProcessVerbs } from '../../schemas/kernel.ts';
import { encodeProgram } from '../runtime/program/encoder.ts';

/** A file that says that something holds until the machine stops, and the name that says it holds for good. */
export interface Mark {
  /** Absolute. */
  directory: string;
  from: string;
  to: string;
}

/** Far more than a pull brings; what is beyond waits for its turn. */
const limit = 4096;

/** Starts the process that settles what lies in the file system of `root`. Resolves when it runs. */
export async function settle(verbs: ProcessVerbs, root: string, marks: Mark[]): Promise<void> {
  if (marks.length === 0) return;
  const names = marks.slice(0, limit).flatMap(({ directory, from, to }) => [directory, from, to]);
  try {
    closeSync(await verbs.spawnShim({ program: encodeProgram([['settle', root, names]]), fds: [] }));
  } catch {
    // No process to be had: what was added counts as long as the machine runs, and is looked through after it.
  }
}
