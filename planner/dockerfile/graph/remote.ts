/** Sources of ADD that are fetched: http and git. Source: Dockerfile reference, "ADD". */
import type { CopyPaths, GitOperation, HttpOperation } from '../../../schemas/build.ts';
import type { AddInstruction, CopyInstruction } from '../../../schemas/dockerfile.ts';
import { refuse } from '../site.ts';
import { parseGitAddress } from './git.ts';

const plain = {
  type: 'input',
  input: 0,
  wildcard: false,
  emptyAllowed: false,
  followSymlinks: false,
  contentsOnly: false,
} as const;

export interface RemoteSource {
  operation: GitOperation | HttpOperation;
  source: CopyPaths;
}

/** Undefined for a path. @throws StackError where an address is wrong */
export function remoteSource(
  written: string,
  instruction: AddInstruction | CopyInstruction,
  checksum: string,
): RemoteSource | undefined {
  const { source } = instruction;
  const wrong = (why: string): never => refuse(source, `${written}: ${why}.`, { word: written, code: 'build.value' });
  const add = instruction.kind === 'add' ? instruction : undefined;
  let git: GitOperation | undefined;
  try {
    git = parseGitAddress(written);
  } catch (thrown) {
    return wrong((thrown as Error).message);
  }
  if (git) {
    if (add?.keepGitDirectory) git.keepGitDirectory = true;
    if (checksum && git.checksum && git.checksum !== checksum) wrong(`its commit is not ${checksum}`);
    if (checksum) git.checksum = checksum;
    // The content of the repository, not a directory of its name.
    return { operation: git, source: { ...plain, path: '/', contentsOnly: true, unpack: false } };
  }
  if (!/^https?:\/\//.test(written)) return undefined;
  const url = URL.canParse(written) ? new URL(written) : wrong('it is no address');
  const filename = nameIn(url.pathname);
  return {
    operation: { kind: 'source.http', url: written, filename, ...(checksum ? { checksum } : {}) },
    source: { ...plain, path: `/${filename}`, unpack: add?.unpack ?? false },
  };
}

/** What the file is called: the last element of the path. */
function nameIn(pathname: string): string {
  let name = pathname.replace(/\/+$/, '').replace(/.*\//, '');
  try {
    name = decodeURIComponent(name).replace(/\/+$/, '').replace(/.*\//, '');
  } catch {}
  return name === '' || name === '.' || name === '..' || name.includes('\0') ? '__unnamed__' : name;
}

/** A digest for http, a commit for git. */
export function isChecksum(text: string, kind: string): boolean {
  if (kind === 'source.git') return /^[0-9a-f]{7,64}$/.test(text);
  return /^sha256:[0-9a-f]{64}$|^sha384:[0-9a-f]{96}$|^sha512:[0-9a-f]{128}$/.test(text);
}
