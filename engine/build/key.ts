/** Keys of the cache: everything that decides the outcome of a step, and nothing else. */
import { createHash } from 'node:crypto';
import type { CopyOperation, MkdirOperation, RunOperation } from '../../schemas/build.ts';

/** Part of every key: raised where a step of the same definition begins to give another outcome. */
const version = 2;

/** Hex. */
function keyOf(...parts: unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([version, ...parts], sorted))
    .digest('hex');
}

/** Fields in one order, whatever order they were written in. */
function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What a source of a COPY holds: a text that becomes a file, or the digest of files. */
export type Content = { name: string; content: string } | string;

/** @param contents of the sources: where they came from does not count. */
export function copyKey(
  { sources, ...operation }: CopyOperation,
  base: string,
  contents: Content[],
  epoch?: number,
): string {
  const how = sources.map((source) =>
    source.type === 'inline'
      ? 'inline'
      : { contentsOnly: source.contentsOnly, include: source.include, unpack: source.unpack },
  );
  return keyOf('copy', operation, how, base, contents, epoch);
}

/** @param inputs digests of what is mounted from other trees, by mount. Values of secrets never count, their names do. */
export function runKey(operation: RunOperation, base: string, inputs: (string | undefined)[], epoch?: number): string {
  const mounts = operation.mounts.map((mount, at) => ('input' in mount ? { ...mount, input: inputs[at] } : mount));
  return keyOf('run', { ...operation, mounts }, base, epoch);
}

export const mkdirKey = (operation: MkdirOperation, base: string, epoch?: number): string =>
  keyOf('mkdir', operation, base, epoch);
