/** The pure half, and the record of categories. No kernel with SELinux runs these tests: its own word is not asked. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { releaseCategories, takeCategories } from './categories.ts';
import { categoryPair, containerLabels, readLabelOption, selinuxState } from './selinux.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-selinux-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a container has a domain, its files have a type, both the same categories', () => {
  expect(containerLabels({}, 's0:c1,c2')).toEqual({
    process: 'system_u:system_r:container_t:s0:c1,c2',
    mount: 'system_u:object_r:container_file_t:s0:c1,c2',
  });
  expect(containerLabels({ user: 'u', role: 'r', type: 't', filetype: 'f', level: 's1:c0.c5' }, 's0')).toEqual({
    process: 'u:r:t:s1:c0.c5',
    mount: 'system_u:object_r:f:s1:c0.c5',
  });
  expect(containerLabels({ type: 't', isDisabled: true }, 's0')).toBeUndefined();
});

test('options of `label=`', () => {
  const read = (...values: string[]) => values.reduce((all, one) => readLabelOption(one, all, 'here'), {});
  expect(read('user:u', 'role:r', 'type:t', 'level:s0:c1,c2')).toEqual({
    user: 'u',
    role: 'r',
    type: 't',
    level: 's0:c1,c2',
  });
  expect(read('disable')).toEqual({ isDisabled: true });
  for (const bad of ['', 'type', 'type:', 'colour:red', 'type:a:b', 'user:a b', 'level:s0\n']) {
    expect(() => read(bad), bad).toThrow(/^here: "label=.*is not a label option/s);
  }
});

test('pairs are two different categories below 1024, the lower one first, the same for the same id', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(1000), (id, attempt) => {
      const pair = categoryPair(id, attempt);
      const [, low, high] = /^s0:c(\d+),c(\d+)$/.exec(pair)!;
      expect(Number(low)).toBeLessThan(Number(high));
      expect(Number(high)).toBeLessThan(1024);
      expect(categoryPair(id, attempt)).toBe(pair);
    }),
  );
});

test('no two containers have the same pair; what is given back is free again', () => {
  const labels = join(folder, 'labels');
  const ids = Array.from({ length: 600 }, (_, number) => `id${number}`);
  const taken = ids.map((id) => takeCategories(labels, 'demo', id));
  expect(new Set(taken).size).toBe(600);
  expect(takeCategories(labels, 'demo', 'id7')).toBe(taken[7]);
  for (const id of ids) releaseCategories(labels, 'demo', id);
  expect(readdirSync(labels)).toEqual([]);
});

test('a pair that another has is passed over', () => {
  const labels = join(folder, 'labels');
  mkdirSync(labels);
  symlinkSync('other/one', join(labels, categoryPair('mine', 0)));
  expect(takeCategories(labels, 'demo', 'mine')).toBe(categoryPair('mine', 1));
  releaseCategories(labels, 'demo', 'mine');
  expect(readdirSync(labels)).toEqual([categoryPair('mine', 0)]);
  expect(readlinkSync(join(labels, categoryPair('mine', 0)))).toBe('other/one');
  releaseCategories(join(folder, 'nowhere'), 'demo', 'mine');
  expect(existsSync(join(folder, 'nowhere'))).toBe(false);
});

test('on, off, or permissive', () => {
  expect(selinuxState(folder)).toEqual({ isEnabled: false, mode: 'disabled' });
  mkdirSync(join(folder, 'fs/selinux'), { recursive: true });
  writeFileSync(join(folder, 'fs/selinux/policyvers'), '33');
  writeFileSync(join(folder, 'fs/selinux/enforce'), '0');
  expect(selinuxState(folder)).toEqual({ isEnabled: true, mode: 'permissive' });
  writeFileSync(join(folder, 'fs/selinux/enforce'), '1');
  expect(selinuxState(folder)).toEqual({ isEnabled: true, mode: 'enforcing' });
});
