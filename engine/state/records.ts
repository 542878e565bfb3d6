/** Container records on disk: intent, one JSON file a container, replaced as a whole. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ContainerRecord, recordFormat } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import { entries } from './entries.ts';
import type { Layout } from './layout.ts';

const fileName = 'container.json';

/** Writes beside and renames: a reader never sees half a record. */
export function saveContainer(layout: Layout, record: ContainerRecord): void {
  const path = join(layout.containerDir(record.stack, record.id), fileName);
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The records of a stack, by name. @throws state.damaged for one that is no record, unless they are to be left out. */
export function listContainers(layout: Layout, stack: string, damaged: 'refuse' | 'leave out' = 'refuse') {
  const records: ContainerRecord[] = [];
  for (const id of entries(layout.stackDir(stack))) {
    try {
      const record = loadContainer(`${layout.containerDir(stack, id)}/${fileName}`, id);
      if (record) records.push(record);
    } catch (error) {
      if (damaged === 'refuse' || !(error instanceof StackError)) throw error;
    }
  }
  return records.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The containers of a stack whose record is there and cannot be read, each with the error that says so. */
export function damagedContainers(layout: Layout, stack: string): { id: string; path: string; error: StackError }[] {
  return entries(layout.stackDir(stack)).flatMap((id) => {
    const path = `${layout.containerDir(stack, id)}/${fileName}`;
    try {
      loadContainer(path, id);
      return [];
    } catch (error) {
      if (error instanceof StackError) return [{ id, path, error }];
      throw error;
    }
  });
}

/** Undefined where there is no record: half made, or half removed. So is an empty one: the power went before it was written. */
function loadContainer(path: string, id: string): ContainerRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR')
      return;
    throw error;
  }
  if (text === '') return;
  let isLater = false;
  try {
    const record = JSON.parse(text) as ContainerRecord;
    if (record.id === id && typeof record.name === 'string' && record.config) {
      if ((record.format ?? 0) <= recordFormat) return completed(record);
      isLater = true;
    }
  } catch {
    // Told below.
  }
  throw new StackError('state.damaged', {
    message: isLater ? `A later version of Stack wrote ${path}.` : `${path} is not a container record.`,
    hint: isLater
      ? 'Use that version, or `stack down` to remove what it made.'
      : `\`stack down\` removes what is left of it. Or remove ${path}, and \`stack up\` makes the container anew.`,
    resource: `container ${id.slice(0, 12)}`,
  });
}

/** With what an older version of Stack did not write down yet: a new version makes nothing anew for it. */
function completed(record: ContainerRecord): ContainerRecord {
  return { ...unwritten, ...record, config: { ...unwritten.config, ...record.config } };
}

const unwritten = {
  number: 1,
  isOneOff: false,
  config: { command: null, entrypoint: null },
  labels: {},
  endpoints: [],
  ports: [],
  mounts: [],
  stopSignal: 15,
  stopGraceMs: 10_000,
  hasHealthcheck: false,
  isTty: false,
  createdAt: '',
};
