/** Paths with `..` inside a root, while others rename things: the kernel cannot tell chance from an attack (openat2(2), EAGAIN). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadKernel } from '../index.ts';

const RESOLVE_IN_ROOT = 0x10;

test('a rename elsewhere on the machine fails no lookup', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stack-openat2-'));
  mkdirSync(join(folder, 'root/a/b/c'), { recursive: true });
  writeFileSync(join(folder, 'root/found'), '');
  symlinkSync('../../../found', join(folder, 'root/a/b/c/link'));
  const renames = `
    const { renameSync, writeFileSync } = require('node:fs');
    writeFileSync(process.argv[1] + '/x', '');
    process.stdout.write('begun');
    for (;;) { renameSync(process.argv[1] + '/x', process.argv[1] + '/y'); renameSync(process.argv[1] + '/y', process.argv[1] + '/x'); }
  `;
  const other = spawn(process.execPath, ['-e', renames, folder], { stdio: ['ignore', 'pipe', 'ignore'] });
  const root = openSync(join(folder, 'root'), constants.O_DIRECTORY);
  const { filesystem } = loadKernel();
  try {
    await once(other.stdout, 'data');
    for (let round = 0; round < 50_000; round++) {
      closeSync(filesystem.openat2(root, 'a/b/c/link', { flags: constants.O_RDONLY, resolve: RESOLVE_IN_ROOT }));
    }
  } finally {
    other.kill('SIGKILL');
    closeSync(root);
    rmSync(folder, { recursive: true, force: true });
  }
  expect(other.exitCode).toBeNull();
}, 60_000);
