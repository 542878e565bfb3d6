import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import type { Session } from '../engine/containers/containers.ts';
import { pump } from './session.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

/** A child on named pipes, as the engine would hand it over. */
function session(command: string, withStdin = true): { session: Session; signals: number[] } {
  const directory = mkdtempSync(join(tmpdir(), 'stack-session-'));
  directories.push(directory);
  const fifo = (name: string) => {
    const path = join(directory, name);
    spawnSync('mkfifo', [path]);
    // Read and write, so that opening waits for nobody.
    return openSync(path, 'r+');
  };
  const name = (fd: number) => `/proc/self/fd/${fd}`;
  const end = (fd: number, flags: string) => openSync(name(fd), flags);
  const pipes = { stdin: fifo('stdin'), stdout: fifo('stdout'), stderr: fifo('stderr') };
  const theirs = [end(pipes.stdin, 'r'), end(pipes.stdout, 'w'), end(pipes.stderr, 'w')];
  const ours = {
    stdin: withStdin ? end(pipes.stdin, 'w') : null,
    stdout: end(pipes.stdout, 'r'),
    stderr: end(pipes.stderr, 'r'),
  };
  for (const fd of Object.values(pipes)) closeSync(fd);
  const child = spawn('/bin/sh', ['-c', command], { stdio: theirs as [number, number, number] });
  for (const fd of theirs) closeSync(fd);
  const signals: number[] = [];
  return {
    signals,
    session: {
      ...ours,
      exited: new Promise((resolve) => {
        child.once('exit', (code) => resolve({ exitCode: code ?? 128, isOomKilled: false }));
      }),
      resize() {},
      signal: (signal) => signals.push(signal),
      close() {},
    },
  };
}

function terminal(write: (done: () => void) => void = setImmediate) {
  const chunks: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  const sink = (name: 'stdout' | 'stderr') =>
    new Writable({
      write(chunk, _, done) {
        chunks[name].push(chunk);
        write(done);
      },
    });
  const stdin = new PassThrough();
  const text = (name: 'stdout' | 'stderr') => Buffer.concat(chunks[name]);
  return { stdin, text, streams: { stdin, stdout: sink('stdout'), stderr: sink('stderr') } as never };
}

test('bytes go both ways as they are, whatever their number', async () => {
  const bytes = randomBytes(3_000_000);
  const { session: cat } = session('cat; echo gone >&2; exit 7');
  const { stdin, text, streams } = terminal();
  stdin.end(bytes);
  expect((await pump(cat, streams, false)).exitCode).toBe(7);
  const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex');
  expect(text('stdout').length).toBe(bytes.length);
  expect(digest(text('stdout'))).toBe(digest(bytes));
  expect(text('stderr').toString()).toBe('gone\n');
});

test('a slow reader gets everything of a process that is long gone', async () => {
  const { session: quick } = session('head -c 250000 /dev/zero', false);
  const { text, streams } = terminal((done) => setTimeout(done, 450));
  await pump(quick, streams, false);
  await vi.waitFor(() => expect(text('stdout').length).toBe(250_000), 5000);
});

test('a process that ends without reading its input ends the session', async () => {
  const { session: early } = session('exec 0<&-; echo done; exit 3');
  const { stdin, text, streams } = terminal();
  stdin.write(randomBytes(500_000));
  expect((await pump(early, streams, false)).exitCode).toBe(3);
  expect(text('stdout').toString()).toBe('done\n');
});

test('what a process left behind does not hold the session', async () => {
  const { session: parent } = session('sleep 5 & echo parent; exit 0', false);
  const { text, streams } = terminal();
  const began = performance.now();
  await pump(parent, streams, false);
  expect(performance.now() - began).toBeLessThan(4000);
  expect(text('stdout').toString()).toBe('parent\n');
});

test('signals that reach us are passed on, and handlers are gone afterwards', async () => {
  const before = process.listenerCount('SIGUSR2');
  const { session: waiting, signals } = session('sleep 0.3', false);
  const { streams } = terminal();
  const ended = pump(waiting, streams, false);
  process.emit('SIGUSR2', 'SIGUSR2');
  await ended;
  expect(signals).toEqual([12]);
  expect(process.listenerCount('SIGUSR2')).toBe(before);
});
