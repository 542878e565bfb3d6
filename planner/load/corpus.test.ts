import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { canonicalJson, load } from './load.ts';

const corpus = join(import.meta.dirname, 'corpus');
const folders = readdirSync(corpus, { withFileTypes: true }).filter((entry) => entry.isDirectory());

/** Differences to docker compose that are meant, by folder. */
const exceptions: Record<string, string> = {};

test('the corpus is there', () => expect(folders.length).toBe(39));

for (const { name } of folders) {
  test.skipIf(name in exceptions)(`${name} loads as docker compose prints it`, () => {
    const directory = join(corpus, name);
    const result = load({
      workingDir: directory,
      profiles: ['*'],
      environment: { HOME: '/root' },
      io: {
        read: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
        kind: (path) => {
          const stats = statSync(path, { throwIfNoEntry: false });
          return stats && (stats.isDirectory() ? 'directory' : 'file');
        },
      },
    });
    if (!result.ok) throw new Error(result.errors.map((error) => error.message).join('\n'));
    const expected = readFileSync(join(directory, 'expected.json'), 'utf8').replaceAll('${PROJECT_DIR}', directory);
    expect(canonicalJson(result.value.project)).toEqual(JSON.parse(expected));
  });
}
