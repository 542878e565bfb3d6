/** NetworkRecords on disk, one file each: what was meant, beside what the kernel has. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Layout } from '../state/layout.ts';
import { forgetMembers } from './members.ts';

/** Records as they were last read, by file: with a thousand networks each that is made looks at all of them. */
const known = new Map<string, { stamp: string; record: NetworkRecord }>();

/** Tells a file from the one that is renamed over it. */
function stampOf(file: string): string | undefined {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found && `${found.ino} ${found.mtimeNs} ${found.size}`;
}

/** @throws StackError state.damaged where the file is there and not readable as a record */
export function loadRecord(layout: Layout, name: string): NetworkRecord | undefined {
  const file = layout.networkRecord(name);
  const stamp = stampOf(file);
  const cached = known.get(file);
  if (stamp !== undefined && cached?.stamp === stamp) return cached.record;
  known.delete(file);
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
  try {
    const record = JSON.parse(content) as NetworkRecord;
    if (record.name === name && (record.bridge || record.parent)) {
      if (stamp !== undefined) known.set(file, { stamp, record });
      return record;
    }
  } catch {
    // Falls through to the one error for everything that is not a record.
  }
  throw new StackError('state.damaged', {
    message: `The record of network ${name} cannot be read: ${file}.`,
    hint: `Remove the file, then run \`stack up\`: the network is made anew.`,
    resource: `network ${name}`,
  });
}

/** Every network of the machine, by name. Entered by rename, so a reader sees a whole record or none. */
export function loadRecords(layout: Layout): NetworkRecord[] {
  let files: string[];
  try {
    files = readdirSync(layout.networks);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
  const names = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
  return names
    .sort()
    .map((name) => loadRecord(layout, name))
    .filter((record) => record !== undefined);
}

export function saveRecord(layout: Layout, record: NetworkRecord): void {
  const file = layout.networkRecord(record.name);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}

export function removeRecord(layout: Layout, name: string): void {
  rmSync(layout.networkRecord(name), { force: true });
  rmSync(layout.networkNames(name), { force: true });
  forgetMembers(layout, name);
}
