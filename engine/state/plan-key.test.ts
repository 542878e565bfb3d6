import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { planKey } from './plan-key.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stack-key-'));
});
afterEach(() => rmSync(root, { recursive: true }));

test('made once, the same from then on, and for root alone', () => {
  const key = planKey({ root: join(root, 'new') });
  expect(key).toHaveLength(32);
  expect(planKey({ root: join(root, 'new') })).toEqual(key);
  expect(planKey({ root })).not.toEqual(key);
  expect(statSync(join(root, 'plan.key')).mode & 0o777).toBe(0o600);
});

test('one that is cut short is refused: an empty key would let anybody sign', () => {
  writeFileSync(join(root, 'plan.key'), '');
  expect(() => planKey({ root })).toThrow('has 0 bytes, not 32');
});
