import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Stat } from '../images/stat.ts';
import { FileDigests, Records } from './records.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-records-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (path: string, value: unknown) => writeFileSync(path, JSON.stringify(value));
const second = 1_000_000_000n;
const now = () => BigInt(Date.now()) * 1_000_000n;

const file = (changes: { ino?: bigint; size?: bigint; mtimeNs?: bigint; ctimeNs?: bigint }) => {
  const { ino = 7n, size = 5n, mtimeNs = 3n, ctimeNs = 4n } = changes;
  return { stat: new Stat(BigInt64Array.of(ino, size, mtimeNs, ctimeNs, 0n, 0o100644n, 0n, 0n, 0n, 0n, 1n), 0) };
};

/** How often a file that stays as it is was read, by one build after the other. */
function reads(found: ReturnType<typeof file>, builds = 2): number {
  let count = 0;
  for (let build = 0; build < builds; build++) {
    const digests = new FileDigests(join(folder, 'digests'), write);
    expect(digests.of('a', found, () => `digest ${++count}`)).toBe(`digest ${count}`);
    digests.save();
  }
  return count;
}

test('a file that stays as it is is read once', () => {
  expect(reads(file({}), 3)).toBe(1);
});

test.each([{ ino: 8n }, { size: 6n }, { mtimeNs: 5n }, { ctimeNs: 5n }])('it is read again with %o', (change) => {
  const read = (found: ReturnType<typeof file>, digest: string) => {
    const digests = new FileDigests(join(folder, 'digests'), write);
    const answer = digests.of('a', found, () => digest);
    digests.save();
    return answer;
  };
  expect(read(file({}), 'first')).toBe('first');
  expect(read(file(change), 'second')).toBe('second');
  expect(read(file(change), 'third')).toBe('second');
});

test('a file that changed within a tick before it was read is read again', () => {
  expect(reads(file({ ctimeNs: now() | 1n }))).toBe(2);
  expect(reads(file({ ctimeNs: (now() - second / 2n) | 1n }))).toBe(1);
});

test('where the file system counts seconds, two of them', () => {
  expect(reads(file({ ctimeNs: ((now() - second) / second) * second }))).toBe(2);
  expect(reads(file({ ctimeNs: ((now() - 4n * second) / second) * second }))).toBe(1);
});

test('what was found in a tree is known by all of the question', () => {
  const records = new Records(folder, writeFileSync);
  const answer = { chain: 'a'.repeat(64), digest: 'b'.repeat(64) };
  records.keepFound('question', answer);
  expect(records.found('question')).toBe(answer.digest);
  expect(records.found('question ')).toBeUndefined();
  records.keepFound('damaged', { ...answer, digest: 'b' });
  expect(records.found('damaged')).toBeUndefined();
});

test('what an image was built from is written where it is another than before, and damaged it is not there', () => {
  const written: string[] = [];
  const records = new Records(folder, (path, text) => {
    written.push(path);
    writeFileSync(path, text);
  });
  const inputs = { id: 'sha256:1', salt: 's', context: '', values: {}, reads: [] };
  records.keepInputs('name', inputs);
  records.keepInputs('name', { ...inputs });
  expect(written).toHaveLength(1);
  expect(records.inputsOf('name')).toEqual(inputs);
  const read = { location: '/c', wanted: [], files: ['a', 'hash'] };
  records.keepInputs('name', { ...inputs, reads: [read] });
  expect(records.inputsOf('name')).toEqual({ ...inputs, reads: [read] });
  for (const damaged of [
    '',
    '{}',
    '{"id":"sha256:1","reads":[null]}',
    '{"id":"sha256:1","reads":[{"files":{"a":"hash"}}]}',
  ]) {
    writeFileSync(written[0]!, damaged);
    expect(records.inputsOf('name'), damaged).toBeUndefined();
  }
});
