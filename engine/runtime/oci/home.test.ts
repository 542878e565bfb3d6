/** HOME by the container's own /etc/passwd, which may be anything: the real files, through the real addon. */
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadKernel } from '../../../native/index.ts';
import { withHome } from './home.ts';

let root: string;
let passwd: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stack-home-'));
  mkdirSync(join(root, 'etc'));
  passwd = join(root, 'etc/passwd');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const home = (uid: number, env: string[] = []) =>
  withHome(loadKernel(), { cwd: '/', user: { uid, gid: 0 }, env }, root);

function write(path: string, text: string, size = text.length): void {
  const fd = openSync(path, 'w');
  writeSync(fd, text);
  ftruncateSync(fd, size);
  closeSync(fd);
}

test('it is the directory of the user’s line, `/` without one, and never replaces what is set', () => {
  expect(home(5)).toEqual(['HOME=/']);
  write(passwd, 'root:x:0:0::/root:/bin/sh\nfive:x:5:5::/home/five:/bin/sh\n');
  expect(home(5)).toEqual(['HOME=/home/five']);
  expect(home(6)).toEqual(['HOME=/']);
  expect(home(5, ['HOME=/mine'])).toEqual(['HOME=/mine']);
});

test('of a file however large only the first MiB is read', () => {
  write(passwd, 'five:x:5:5::/home/five:/bin/sh\n', 3 * 2 ** 30);
  const before = process.resourceUsage().maxRSS;
  expect(home(5)).toEqual(['HOME=/home/five']);
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(100 * 1024);
});

test('a symbolic link leads to nothing outside of the root', () => {
  write(join(root, 'elsewhere'), 'five:x:5:5::/home/five:/bin/sh\n');
  symlinkSync('../../../../../../elsewhere', passwd);
  expect(home(5)).toEqual(['HOME=/home/five']);
  rmSync(passwd);
  symlinkSync('/proc/self/fd/0', passwd);
  expect(home(5)).toEqual(['HOME=/']);
});

test('a fifo that somebody writes to is not read', () => {
  execFileSync('mkfifo', [passwd]);
  const writer = openSync(passwd, 'r+');
  try {
    const line = 'five:x:5:5::/home/five:/bin/sh\n';
    writeSync(writer, line);
    expect(home(5)).toEqual(['HOME=/']);
    const left = execFileSync('timeout', ['5', 'head', '-c', String(line.length), passwd], { encoding: 'utf8' });
    expect(left).toBe(line);
  } finally {
    closeSync(writer);
  }
});

const isRoot = process.getuid?.() === 0;
test.skipIf(!isRoot)(`a device that never ends is not read${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  execFileSync('mknod', [passwd, 'c', '1', '5']);
  const before = process.resourceUsage().maxRSS;
  expect(home(5)).toEqual(['HOME=/']);
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(100 * 1024);
});
