/** The machine's key for plan files: made when the first plan is written, read by root alone. */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import type { Layout } from './layout.ts';

/** Bytes: as many as HMAC-SHA-256 takes in. */
const size = 32;

const pathOf = ({ root }: Pick<Layout, 'root'>) => join(root, 'plan.key');

/** @throws StackError state.damaged */
export function planKey(layout: Pick<Layout, 'root'>): Buffer {
  return read(pathOf(layout)) ?? make(layout.root, pathOf(layout));
}

/** To read a plan file with: makes none. Where there is none, no file was made here, and any other fits none. @throws state.damaged */
export function planKeyToRead(layout: Pick<Layout, 'root'>): Buffer {
  return read(pathOf(layout)) ?? randomBytes(size);
}

function make(root: string, file: string): Buffer {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, randomBytes(size), { mode: 0o600, flag: 'wx', flush: true });
  try {
    // Of two commands that make one, the first one's counts for both.
    linkSync(temporary, file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
  } finally {
    rmSync(temporary);
  }
  return read(file)!;
}

function read(file: string): Buffer | undefined {
  let key: Buffer;
  try {
    key = readFileSync(file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
  if (key.length === size) return key;
  throw new StackError('state.damaged', {
    message: `The key of plan files cannot be used: ${file} has ${key.length} bytes, not ${size}.`,
    hint: 'Remove it: the next `stack plan -o FILE` makes another, and plans written before are refused.',
  });
}
