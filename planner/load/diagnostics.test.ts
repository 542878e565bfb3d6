/** The words of every diagnostic, as a user reads them: all of a file in one run, in the order of the file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatError } from '../diagnose.ts';
import { loadFiles } from './fixture.ts';

const folder = join(import.meta.dirname, 'diagnostics');

test.each(['errors', 'warnings'])('%s', async (name) => {
  const text = readFileSync(join(folder, `${name}.yaml`), 'utf8');
  const result = loadFiles({ 'compose.yaml': text }, { hints: true, environment: { HOME: '/root' } });
  expect(result.ok).toBe(name === 'warnings');
  const told = result.ok ? result.warnings : result.errors;
  const places = told.map(({ where }) => (where?.line ?? 0) * 1000 + (where?.column ?? 0));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  const words = told.map((error) => `${formatError(error, () => text)}\n`).join('\n');
  await expect(words).toMatchFileSnapshot(join(folder, `${name}.txt`));
});
