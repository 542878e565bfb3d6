import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { GitOperation } from '../../schemas/build.ts';
import { fetchGit } from './fetch.ts';

const folder = mkdtempSync(join(tmpdir(), 'stack-fetch-'));
const repository = join(folder, 'repository');
const signal = new AbortController().signal;

/** git's own server speaks through a socket: git refuses repositories of this machine. */
let server: Server;
let remote: string;

beforeAll(async () => {
  mkdirSync(join(repository, 'inner'), { recursive: true });
  writeFileSync(join(repository, 'inner/file'), 'content');
  symlinkSync('/etc', join(repository, 'out'));
  symlinkSync('inner', join(repository, 'way'));
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.com'];
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
    [...who, 'commit', '-qm', 'first'],
  ]) {
    execFileSync('git', args, { cwd: repository });
  }
  server = createServer((socket) => {
    const child = spawn('git', ['daemon', '--inetd', '--export-all', `--base-path=${folder}`, folder]);
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
    child.stdin.on('error', () => {});
    socket.on('error', () => child.kill());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  remote = `git://127.0.0.1:${(server.address() as AddressInfo).port}/repository`;
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

let number = 0;
const fetched = (subdirectory?: string) =>
  fetchGit(
    { kind: 'source.git', remote, ...(subdirectory ? { subdirectory } : {}) } as GitOperation,
    join(folder, `to${number++}`),
    signal,
  );

test('a repository and a directory of it', async () => {
  expect(readdirSync(await fetched()).sort()).toEqual(['inner', 'out', 'way']);
  expect(readdirSync(await fetched('inner'))).toEqual(['file']);
  expect(readdirSync(await fetched('way'))).toEqual(['file']);
});

test.each(['out', '../repository', '../../..', 'absent'])('a directory that leads out of it: %s', async (path) => {
  await expect(fetched(path)).rejects.toThrow(/has no directory/);
});

test('repositories of this machine are none of a Dockerfile’s business', async () => {
  const operation = { kind: 'source.git', remote: repository } as GitOperation;
  await expect(fetchGit(operation, join(folder, 'local'), signal)).rejects.toThrow(/not allowed/);
});

test('the configuration of whoever builds is not read', async () => {
  const elsewhere = join(folder, 'gitconfig');
  writeFileSync(elsewhere, `[url "git://127.0.0.1:1/"]\n\tinsteadOf = ${remote.replace('repository', '')}\n`);
  vi.stubEnv('HOME', join(folder, 'home'));
  vi.stubEnv('GIT_CONFIG_GLOBAL', elsewhere);
  try {
    expect(readdirSync(await fetched('inner'))).toEqual(['file']);
  } finally {
    vi.unstubAllEnvs();
  }
});
