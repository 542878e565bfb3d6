import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkRunnable } from './foreign.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-binfmt-'));
  writeFileSync(join(folder, 'status'), 'enabled\n');
  writeFileSync(join(folder, 'register'), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const amd64 = { os: 'linux', architecture: 'amd64', variant: 'v3' };
const on = (architecture: string) => () => checkRunnable({ os: 'linux', architecture }, folder, amd64);

/** As the kernel shows what Debian's qemu-user-static registers. */
const handler = (flags: string, state = 'enabled') =>
  `${state}\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: ${flags}\noffset 0\n` +
  'magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n';

test('programs of the machine run, and those of its smaller kin', () => {
  expect(on('amd64')).not.toThrow();
  expect(on('386')).not.toThrow();
  expect(() => checkRunnable({ os: 'windows', architecture: 'amd64' }, folder, amd64)).toThrow(/windows\/amd64/);
});

test('others where binfmt_misc has an emulator that every root has', () => {
  expect(on('arm64')).toThrow(/linux\/amd64, runs no programs for linux\/arm64/);
  writeFileSync(join(folder, 'qemu-aarch64'), handler('PO'));
  expect(on('arm64')).toThrow(/lacks the flag F/);
  writeFileSync(join(folder, 'qemu-aarch64'), handler('POCF', 'disabled'));
  expect(on('arm64')).toThrow(/runs no programs/);
  writeFileSync(join(folder, 'qemu-aarch64'), handler('POCF'));
  expect(on('arm64')).not.toThrow();
  expect(on('s390x')).toThrow(/runs no programs for linux\/s390x/);
  writeFileSync(join(folder, 'status'), 'disabled\n');
  expect(on('arm64')).toThrow(/runs no programs/);
});
