/** Git addresses in ADD and as contexts. Source: Dockerfile reference, "ADD"; Docker docs, "Build context". */
import type { GitOperation } from '../../../schemas/build.ts';
import { cleanPath } from '../ignore/pattern.ts';

const scp = /^[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:[^/\s#?][^\s#?]*/;
const flags = new Set(['keep-git-dir', 'submodules', 'fetch-by-commit']);

/**
 * The repository that `text` names, or undefined where it is no git address: `https://host/repo.git`, `git://`, `ssh://`,
 * `git@host:repo`, with `#ref:directory` or `?ref=…&subdir=…` behind it.
 * @throws Error saying what is wrong with its query
 */
export function parseGitAddress(text: string): GitOperation | undefined {
  const [, address, query, fragment] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text)!;
  const scheme = /^([a-z0-9]+):\/\//i.exec(address!)?.[1]?.toLowerCase();
  const isGit =
    scheme === 'git' ||
    scheme === 'ssh' ||
    scp.test(text) ||
    (/^https?$/.test(scheme ?? '') && /\.git$/.test(address!));
  if (!isGit) return undefined;
  const operation: GitOperation = { kind: 'source.git', remote: address!, keepGitDirectory: false, submodules: true };
  const set = (key: 'ref' | 'subdirectory' | 'checksum', value: string) => {
    if (value === '') return;
    if (operation[key] !== undefined && operation[key] !== value) {
      throw new Error(`${key} is both ${operation[key]} and ${value}`);
    }
    operation[key] = value;
  };
  if (fragment) {
    const colon = fragment.indexOf(':');
    set('ref', colon === -1 ? fragment : fragment.slice(0, colon));
    if (colon !== -1) set('subdirectory', inside(fragment.slice(colon + 1)));
  }
  const seen = new Set<string>();
  for (const [key, value] of new URLSearchParams(query ?? '')) {
    if (seen.has(key)) throw new Error(`${key} is given twice`);
    seen.add(key);
    if (value === '' && !flags.has(key)) throw new Error(`${key} has no value`);
    if (key === 'ref') set('ref', value);
    else if (key === 'tag') set('ref', value.startsWith('refs/tags/') ? value : `refs/tags/${value}`);
    else if (key === 'branch') set('ref', value.startsWith('refs/heads/') ? value : `refs/heads/${value}`);
    else if (key === 'subdir') set('subdirectory', inside(value));
    else if (key === 'checksum' || key === 'commit') set('checksum', value);
    else if (key === 'keep-git-dir') operation.keepGitDirectory = truth(key, value);
    else if (key === 'submodules') operation.submodules = truth(key, value);
    else throw new Error(`${key} is no option of a git address`);
  }
  if (operation.checksum && !/^[0-9a-f]{7,64}$/.test(operation.checksum)) {
    throw new Error(`${operation.checksum} is no commit`);
  }
  return operation;
}

/** Never above the root of the repository. */
function inside(path: string): string {
  return cleanPath(`/${path}`).slice(1);
}

function truth(key: string, value: string): boolean {
  if (/^(?:|true|1|t)$/i.test(value)) return true;
  if (/^(?:false|0|f)$/i.test(value)) return false;
  throw new Error(`${key} is true or false, not ${value}`);
}
