import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { applyResctrl, updateResctrl } from './resctrl.ts';

/** A directory in the place of the file system: the kernel of this machine may have none. */
function inTree(run: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'stack-resctrl-'));
  try {
    writeFileSync(join(root, 'schemata'), '');
    run(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test('a group whose schemata are refused goes again', () =>
  inTree((top) => {
    // The directory's path is as long as the kernel takes one, its file's is longer.
    let root = top;
    while (root.length < 3700) root = join(root, 'd'.repeat(200));
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, 'schemata'), '');
    const id = 'c'.repeat(4095 - root.length - 5);
    for (const rdt of [{ l3CacheSchema: 'L3:0=f' }, { closID: id.slice(1), l3CacheSchema: 'L3:0=f' }]) {
      expect(() => applyResctrl(id, rdt, root)).toThrow(/resctrl refused L3:0=f/);
      expect(existsSync(join(root, rdt.closID ?? id))).toBe(false);
    }
  }));

test('update: a group that is there takes the schemata; one that is not is made, with every thread', () =>
  inTree((root) => {
    mkdirSync(join(root, 'shared'));
    expect(updateResctrl('c', { closID: 'shared' }, { memBwSchema: 'MB:0=50' }, [process.pid], root)).toBe(undefined);
    expect(readFileSync(join(root, 'shared/schemata'), 'utf8')).toBe('MB:0=50\n');
    expect(existsSync(join(root, 'shared/tasks'))).toBe(false);
    expect(updateResctrl('c', {}, { l3CacheSchema: 'L3:0=f' }, [process.pid], root)).toBe(join(root, 'c'));
    expect(readFileSync(join(root, 'c/schemata'), 'utf8')).toBe('L3:0=f\n');
    expect(existsSync(join(root, 'c/tasks'))).toBe(true);
  }));

test('update on a machine without resctrl is refused', () => {
  const none = join(tmpdir(), 'stack-no-resctrl');
  expect(() => updateResctrl('c', {}, { l3CacheSchema: 'L3:0=f' }, [], none)).toThrow(
    expect.objectContaining({ code: 'host.kernel-feature' }),
  );
});
