import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { relabelBinds } from './relabel.ts';

const { filesystem: verbs } = loadKernel();
const label = 'system_u:object_r:container_file_t:s0:c1,c2';
let dir: string;
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'stack-relabel-'));
  fs.mkdirSync(join(dir, 'tree/deep'), { recursive: true });
  for (const name of ['tree/deep/file', 'other']) fs.writeFileSync(join(dir, name), '');
  fs.symlinkSync('../other', join(dir, 'tree/link'));
  fs.symlinkSync('..', join(dir, 'tree/up'));
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

const bind = (source: string, selinux?: 'z' | 'Z') =>
  ({ type: 'bind', source, target: '/t', readOnly: false, ...(selinux ? { selinux } : {}) }) as const;

function labelOf(path: string): string | undefined {
  const fd = fs.openSync(join(dir, path), 0o10000000);
  try {
    return Buffer.from(verbs.lgetxattr(fd, '', 'security.selinux')).toString();
  } catch {
    return undefined;
  } finally {
    fs.closeSync(fd);
  }
}

test.runIf(process.getuid?.() === 0).each([
  ['Z', label],
  ['z', 'system_u:object_r:container_file_t:s0'],
] as const)('%s labels the source and what is below it, and follows no link', (option, wanted) => {
  relabelBinds(verbs, [bind(join(dir, 'tree'), option)], label);
  expect(['tree', 'tree/deep', 'tree/deep/file'].map(labelOf)).toEqual(Array(3).fill(`${wanted}\0`));
  expect([labelOf('other'), labelOf('.')]).toEqual([undefined, undefined]);
});

test('without the option, and where labels are off, nothing is labelled', () => {
  relabelBinds(verbs, [bind(join(dir, 'tree'))], label);
  relabelBinds(verbs, [bind(join(dir, 'tree'), 'Z')], undefined);
  expect(labelOf('tree')).toBeUndefined();
});

test.each(['/', '/etc', '/usr', '/home'])('%s is never labelled', (path) => {
  expect(() => relabelBinds(verbs, [bind(path, 'z')], label)).toThrow(
    expect.objectContaining({ code: 'volume.relabel' }),
  );
});
