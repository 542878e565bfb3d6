/** Sources that come over the network: git repositories and single files. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  createWriteStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { withoutPasswords } from '../../planner/dockerfile/redact.ts';
import type { GitOperation, HttpOperation } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';

const run = promisify(execFile);

/** Told the digest of what came, hex by algorithm. */
export type Note = (digest: Record<string, string>) => void;

/** Checks a commit out into `directory`. Answers the directory that counts. @throws StackError build.fetch */
export async function fetchGit(
  operation: GitOperation,
  directory: string,
  signal: AbortSignal,
  note: Note = () => {},
): Promise<string> {
  const { remote, ref, subdirectory, keepGitDirectory, checksum, submodules } = operation;
  const failed = (message: string, hint: string) =>
    new StackError('build.fetch', { message: withoutPasswords(message), hint });
  if (remote.startsWith('-') || ref?.startsWith('-'))
    throw failed(`${remote} is no git address.`, 'Check the address.');
  mkdirSync(directory, { recursive: true });
  const git = async (...args: string[]) => {
    // Neither the user's configuration nor a prompt: the same address gives the same files for everybody.
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^GIT_(?!SSH|SSL_)/.test(name))),
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_PROTOCOL_FROM_USER: '0',
    };
    const { stdout } = await run('git', ['-c', 'protocol.ext.allow=never', ...args], { cwd: directory, env, signal });
    return stdout.trim();
  };
  try {
    await git('init', '-q', '.');
    await git('remote', 'add', 'origin', '--', remote);
    const isCommit = ref !== undefined && /^[0-9a-f]{40}$/.test(ref);
    await git('fetch', '-q', '--depth', '1', 'origin', ref ?? 'HEAD').catch(async (error) => {
      // Servers may refuse a bare commit: then everything is fetched.
      if (!isCommit) throw error;
      await git('fetch', '-q', 'origin');
    });
    await git('checkout', '-q', '--detach', isCommit ? ref : 'FETCH_HEAD');
    if (submodules) await git('submodule', 'update', '-q', '--init', '--recursive', '--depth', '1');
    const commit = await git('rev-parse', 'HEAD');
    note({ [commit.length === 64 ? 'sha256' : 'sha1']: commit });
    if (checksum && !commit.startsWith(checksum)) {
      throw failed(`${remote} is at ${commit}, and ${checksum} was asked for.`, 'Check the commit.');
    }
  } catch (thrown) {
    if (signal.aborted || thrown instanceof StackError) throw thrown;
    const { code, stderr = '' } = thrown as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT') throw failed('There is no program git.', 'Install git.');
    const words = stderr.trim().split('\n').at(-1) ?? '';
    throw failed(
      `${remote}${ref ? `#${ref}` : ''} cannot be fetched: ${words}`,
      'Check the address, the ref and your rights.',
    );
  }
  if (!keepGitDirectory) rmSync(join(directory, '.git'), { recursive: true, force: true });
  else hidePasswords(join(directory, '.git'));
  if (!subdirectory) return directory;
  // The repository may come from a stranger: neither .. nor a link in it leads out.
  const path = await realpath(join(directory, subdirectory)).catch(() => '');
  if (path.startsWith(`${await realpath(directory)}/`)) return path;
  throw failed(`${remote} has no directory ${subdirectory}.`, 'Check what stands after the colon of the address.');
}

/** Git notes the address it was given, and those of submodules: they would go into the image. */
function hidePasswords(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/^(?:config|FETCH_HEAD|HEAD)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, 'utf8');
    const shown = withoutPasswords(text);
    if (shown !== text) writeFileSync(path, shown);
  }
}

/** Downloads into `directory`. @throws StackError build.fetch */
export async function fetchFile(
  operation: HttpOperation,
  directory: string,
  signal: AbortSignal,
  note: Note = () => {},
): Promise<void> {
  const { url, filename, checksum } = operation;
  const failed = (why: string) =>
    new StackError('build.fetch', {
      message: withoutPasswords(`${url} cannot be fetched: ${why}.`),
      hint: 'Check the address.',
    });
  mkdirSync(directory, { recursive: true });
  const path = join(directory, filename);
  const { address, headers } = withLogin(url);
  const answer = await fetch(address, { headers, signal }).catch((error: Error) => {
    if (signal.aborted) throw error;
    throw failed(((error.cause as Error | undefined) ?? error).message);
  });
  if (!answer.ok || !answer.body) throw failed(`the server answers ${answer.status}`);
  const algorithm = checksum?.slice(0, checksum.indexOf(':')) ?? 'sha256';
  const hash = createHash(algorithm);
  const source = Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]);
  source.on('data', (chunk: Buffer) => hash.update(chunk));
  await pipeline(source, createWriteStream(path, { flags: 'wx' }), { signal });
  const hex = hash.digest('hex');
  note({ [algorithm]: hex });
  const digest = `${algorithm}:${hex}`;
  if (checksum && digest !== checksum) throw failed(`its content is ${digest}, and ${checksum} was asked for`);
  chmodSync(path, 0o600);
  const modified = Date.parse(answer.headers.get('last-modified') ?? '') || 0;
  utimesSync(path, new Date(modified), new Date(modified));
}

/** fetch() takes no address with a password; the header goes to its host alone, and not where that redirects to. */
function withLogin(url: string): { address: string; headers: Record<string, string> } {
  const address = new URL(url);
  const { username, password } = address;
  if (username === '' && password === '') return { address: url, headers: {} };
  address.username = '';
  address.password = '';
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return { address: address.href, headers: { authorization: `Basic ${login}` } };
}
