import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type LogLine, LogsFollower, readLog, readLogs } from './logs.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stack-logs-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const time = (n: number) => `2026-11-23T12:00:${String(n % 60).padStart(2, '0')}.${String(n).padStart(9, '0')}Z`;
const record = (n: number, text: string, { stream = 'stdout', tag = 'F', at = time(n) } = {}) =>
  `${at} ${stream} ${tag} ${text}\n`;
const texts = (lines: Iterable<LogLine>) => [...lines].map((line) => line.text.toString());
const rotate = () => {
  for (let n = 8; n > 0; n--) {
    try {
      renameSync(join(directory, `log.${n}`), join(directory, `log.${n + 1}`));
    } catch {}
  }
  renameSync(join(directory, 'log'), join(directory, 'log.1'));
};
const write = (text: string) => appendFileSync(join(directory, 'log'), text);

test('no log yet is an empty log', () => {
  expect(texts(readLog(directory))).toEqual([]);
  expect(texts(readLog(join(directory, 'gone')))).toEqual([]);
});

test('reads across rotated files in order, numbers sorted as numbers', () => {
  for (let n = 0; n < 12; n++) {
    write(record(n, `line ${n}`));
    if (n < 11) rotateFar();
  }
  expect(texts(readLog(directory))).toEqual(Array.from({ length: 12 }, (_, n) => `line ${n}`));
  expect(texts(readLog(directory, { tail: 3 }))).toEqual(['line 9', 'line 10', 'line 11']);
  expect(texts(readLog(directory, { since: time(4), until: time(7) }))).toEqual(['line 4', 'line 5', 'line 6']);

  function rotateFar() {
    for (let age = 15; age > 0; age--) {
      try {
        renameSync(join(directory, `log.${age}`), join(directory, `log.${age + 1}`));
      } catch {}
    }
    renameSync(join(directory, 'log'), join(directory, 'log.1'));
  }
});

test('joins partial records of each stream, also across a rotation', () => {
  write(record(1, 'one ', { tag: 'P' }) + record(2, 'warning ', { stream: 'stderr', tag: 'P' }));
  rotate();
  write(record(3, 'line', { tag: 'F' }) + record(4, 'here', { stream: 'stderr' }) + record(5, 'tail', { tag: 'P' }));
  const lines = [...readLog(directory)];
  expect(lines.map((line) => [line.time, line.stream, line.text.toString()])).toEqual([
    [time(3), 'stdout', 'one line'],
    [time(4), 'stderr', 'warning here'],
    [time(5), 'stdout', 'tail'],
  ]);
});

test('tail counts joined lines and finds the beginning of an interleaved one', () => {
  write(
    record(1, 'old', {}) +
      record(2, 'long ', { stream: 'stderr', tag: 'P' }) +
      record(3, 'between') +
      record(4, 'end', { stream: 'stderr' }) +
      record(5, 'last'),
  );
  expect(texts(readLog(directory, { tail: 2 }))).toEqual(['long end', 'last']);
  expect(texts(readLog(directory, { tail: 1 }))).toEqual(['last']);
  expect(texts(readLog(directory, { tail: 0 }))).toEqual([]);
  expect(texts(readLog(directory, { tail: 99 }))).toEqual(['old', 'between', 'long end', 'last']);
  expect(texts(readLog(directory, { tail: 2, until: time(4) }))).toEqual(['old', 'between']);
});

test('bytes are kept as they are; a line may be empty or longer than a chunk', () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x20, 0x0d]);
  writeFileSync(join(directory, 'log'), Buffer.concat([Buffer.from(`${time(1)} stdout F `), bytes, Buffer.from('\n')]));
  write(record(2, ''));
  write(record(3, 'x'.repeat(200_000)));
  const lines = [...readLog(directory)];
  expect(lines[0]?.text).toEqual(bytes);
  expect(lines.map((line) => line.text.length)).toEqual([5, 0, 200_000]);
  expect([...readLog(directory, { tail: 2 })].map((line) => line.text.length)).toEqual([0, 200_000]);
});

test('since and tail on a large log agree with reading all of it', () => {
  const at = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 10).toISOString().replace('Z', '000000Z');
  const lines = Array.from({ length: 20_000 }, (_, n) => record(n, `line ${n}`, { at: at(n) }));
  for (let part = 0; part < 4; part++) {
    if (part > 0) rotate();
    write(lines.slice(part * 5000, part * 5000 + 5000).join(''));
  }
  for (const from of [0, 1, 4999, 5000, 12_345, 19_999]) {
    const got = texts(readLog(directory, { since: at(from) }));
    expect([got.length, got[0]]).toEqual([20_000 - from, `line ${from}`]);
    expect(texts(readLog(directory, { tail: 20_000 - from }))[0]).toBe(`line ${from}`);
  }
  expect(texts(readLog(directory, { since: at(20_001) }))).toEqual([]);
});

test('torn bytes of a crash are passed over', () => {
  write(`${record(1, 'whole')}\0\0\0\nnonsense\n${record(2, 'again')}${time(3)} stdout F no newline`);
  expect(texts(readLog(directory))).toEqual(['whole', 'again']);
});

test('several logs come in order of time', () => {
  const other = mkdtempSync(join(tmpdir(), 'stack-logs-'));
  write(record(1, 'a1') + record(4, 'a4'));
  appendFileSync(join(other, 'log'), record(2, 'b2') + record(3, 'b3') + record(5, 'b5'));
  const sources = [
    { id: 'a', directory },
    { id: 'b', directory: other },
  ];
  expect([...readLogs(sources, {})].map(({ source, line }) => [source.id, line.text.toString()])).toEqual([
    ['a', 'a1'],
    ['b', 'b2'],
    ['b', 'b3'],
    ['a', 'a4'],
    ['b', 'b5'],
  ]);
  rmSync(other, { recursive: true });
});

test('following loses nothing across rotations, several at once, and a log that comes later', async () => {
  const lines: string[] = [];
  using follower = new LogsFollower((_, line) => lines.push(line.text.toString()));
  follower.add([{ id: 'a', directory }], { tail: 1 });
  const expected: string[] = [];
  for (let n = 0; n < 300; n++) {
    write(record(n, `line ${n}`));
    expected.push(`line ${n}`);
    if (n % 7 === 0) rotate();
    if (n % 29 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  write(record(300, 'no newline', { tag: 'P' }));
  await vi.waitFor(() => expect(lines.at(-1)).toBe('line 299'));
  follower.end('a');
  expect(lines).toEqual([...expected, 'no newline']);
});

test('following starts with the history asked for', async () => {
  write(record(1, 'one') + record(2, 'two'));
  const lines: string[] = [];
  using follower = new LogsFollower((_, line) => lines.push(line.text.toString()));
  follower.add([{ id: 'a', directory }], { tail: 1 });
  expect(lines).toEqual(['two']);
  write(record(3, 'three'));
  await vi.waitFor(() => expect(lines).toEqual(['two', 'three']));
});
