/** What the digest of a step's sources tells apart: two trees that would be copied differently never have one. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { mountedPath } from './context-copy.ts';
import { copyKey } from './key.ts';
import { contentDigest, digestItem, select } from './select.ts';

const verbs = loadKernel().filesystem;
const { signal } = new AbortController();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-select-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** @param isContext false: another stage, of which owners count. */
async function digest(make: (root: string) => void, isContext = true): Promise<string> {
  const root = mkdtempSync(join(folder, 'tree-'));
  make(root);
  const fd = openSync(root, constants.O_DIRECTORY);
  try {
    const hash = createHash('sha256');
    const [item] = select(verbs, { root: fd, isContext }, mountedPath('/'), []);
    await digestItem(verbs, item!, hash, signal);
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}

const setAttribute = (path: string, name: string, value: string) => {
  const fd = openSync(path, 'r');
  verbs.lsetxattr(fd, '', name, Buffer.from(value));
  closeSync(fd);
};

test('an attribute cannot pass for another file', async () => {
  const content = createHash('sha256').update('b').digest('hex');
  const { mode } = lstatSync(folder);
  expect(mode).toBeGreaterThan(0);
  const two = await digest((root) => {
    for (const name of ['a', 'b']) {
      writeFileSync(join(root, name), name);
      chmodSync(join(root, name), 0o644);
      setAttribute(join(root, name), 'user.x', 'x');
    }
  });
  const one = await digest((root) => {
    writeFileSync(join(root, 'a'), 'a');
    chmodSync(join(root, 'a'), 0o644);
    setAttribute(join(root, 'a'), 'user.x', `x\0b\0file\x00644\0\0\0${content}\0user.x\0x`);
  });
  expect(one).not.toBe(two);
});

test('names that are no UTF-8 are told apart', async () => {
  const named = (byte: number) => (root: string) =>
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([byte])]), '');
  expect(await digest(named(0xfe))).not.toBe(await digest(named(0xff)));
  const link = (byte: number) => (root: string) => symlinkSync(Buffer.from([byte]), Buffer.from(`${root}/link`));
  expect(await digest(link(0xfe))).not.toBe(await digest(link(0xff)));
});

test('one file with two names is not two files', async () => {
  const two = await digest((root) => {
    for (const name of ['a', 'b']) writeFileSync(join(root, name), 'same');
  });
  const one = await digest((root) => {
    writeFileSync(join(root, 'a'), 'same');
    linkSync(join(root, 'a'), join(root, 'b'));
  });
  expect(one).not.toBe(two);
});

test('a text cannot pass for two', () => {
  const inline = (name: string, content: string) => ({ type: 'inline' as const, name, content });
  const of = (...sources: ReturnType<typeof inline>[]) =>
    copyKey({ kind: 'copy', sources, destination: '/', exclude: [] }, '', sources);
  const first = of(inline('a', 'x'), inline('b', 'y\0inline\0c\0z'));
  const second = of(inline('a', 'x\0inline\0b\0y'), inline('c', 'z'));
  expect(first).not.toBe(second);
});

test('a fifo that took the place of a file is refused, and not waited for', () => {
  mkdirSync(join(folder, 'in'));
  execFileSync('mkfifo', [join(folder, 'in/was-a-file')]);
  const parent = openSync(join(folder, 'in'), constants.O_DIRECTORY);
  try {
    expect(() => contentDigest(verbs, { parent, name: 'was-a-file' })).toThrow(/no file any more/);
  } finally {
    closeSync(parent);
  }
});
