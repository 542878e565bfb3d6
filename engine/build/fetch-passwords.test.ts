/** Passwords in addresses: used, and shown or kept nowhere. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GitOperation } from '../../schemas/build.ts';
import { remoteContext } from './context.ts';
import { fetchFile, fetchGit } from './fetch.ts';

const folder = mkdtempSync(join(tmpdir(), 'stack-passwords-'));
const { signal } = new AbortController();
const expected = `Basic ${Buffer.from('who:tops3cret').toString('base64')}`;
let server: Server;
let host: string;

beforeAll(async () => {
  const repository = join(folder, 'some.git');
  mkdirSync(repository);
  writeFileSync(join(repository, 'file'), 'content');
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.com'];
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
    [...who, 'commit', '-qm', 'first'],
  ])
    execFileSync('git', args, { cwd: repository });
  const backend = join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend');
  server = createServer((request, response) => {
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return;
    }
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    if (pathname === '/file') {
      response.end('content');
      return;
    }
    const env = {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: pathname,
      QUERY_STRING: searchParams.toString(),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-encoding'] ? { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] } : {}),
      ...(request.headers['git-protocol'] ? { GIT_PROTOCOL: String(request.headers['git-protocol']) } : {}),
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
    };
    const child = spawn(backend, { env });
    request.pipe(child.stdin);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('close', () => {
      const all = Buffer.concat(chunks);
      const end = all.indexOf('\r\n\r\n');
      for (const line of all.subarray(0, end).toString().split('\r\n')) {
        const [name, value] = line.split(': ') as [string, string];
        if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.end(all.subarray(end + 4));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const git = (more: Partial<GitOperation>): GitOperation => ({
  kind: 'source.git',
  remote: `http://who:tops3cret@${host}/some.git`,
  keepGitDirectory: true,
  submodules: false,
  ...more,
});
const http = (path: string, login = 'who:tops3cret') => ({
  kind: 'source.http' as const,
  url: `http://${login}@${host}/${path}`,
  filename: 'file',
});

test('a repository is fetched with its password, which is not in what was fetched', async () => {
  const directory = await fetchGit(git({}), join(folder, 'kept'), signal);
  expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('content');
  const files = readdirSync(directory, { recursive: true }).map((name) => join(directory, String(name)));
  const holding = files.filter((path) => statSync(path).isFile() && readFileSync(path).includes('tops3cret'));
  expect(holding).toEqual([]);
  expect(readFileSync(join(directory, '.git/config'), 'utf8')).toContain(host);
});

test('a file is fetched with its password', async () => {
  await fetchFile(http('file'), join(folder, 'one'), signal);
  expect(readFileSync(join(folder, 'one/file'), 'utf8')).toBe('content');
});

test.each([
  ['a ref that is none', () => fetchGit(git({ ref: 'none' }), join(folder, 'a'), signal)],
  ['a directory that is none', () => fetchGit(git({ subdirectory: 'none' }), join(folder, 'b'), signal)],
  ['another commit', () => fetchGit(git({ checksum: '1234567' }), join(folder, 'c'), signal)],
  [
    'nobody there',
    () => fetchGit(git({ remote: 'http://who:tops3cret@127.0.0.1:1/some.git' }), join(folder, 'd'), signal),
  ],
  ['a wrong password', () => fetchFile(http('file', 'who:tops3cret2'), join(folder, 'e'), signal)],
  ['a file that is not there', () => fetchFile(http('none'), join(folder, 'f'), signal)],
  ['no git address', async () => remoteContext('ftp://who:tops3cret@host/x')],
])('the error of %s does not show it', async (_, fetch) => {
  const error = await Promise.resolve(fetch()).then(
    () => undefined,
    (thrown: Error & { hint?: string }) => `${thrown.message} ${thrown.hint}`,
  );
  expect(error).toMatch(/build|cannot|has no|is at|no git address|no directory/);
  expect(error).not.toContain('tops3cret');
});
