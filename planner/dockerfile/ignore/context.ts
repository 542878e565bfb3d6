/** Which paths of a build context a step needs: the `paths` of a source.context vertex as a matcher for a walk. */
import { advanceAll, begin, globTokens, matchesTokens, type Token } from './glob.ts';
import { createIgnoreMatcher } from './ignore.ts';

export interface ContextFilter {
  /** Whether the file or directory belongs to it. Relative, slashes, clean. */
  includes(path: string): boolean;
  /** Whether anything below `directory` can belong to it. */
  enters(directory: string): boolean;
}

/**
 * `paths` absent means everything; a path that matches takes all below it. `ignore` are the lines of the ignore file.
 * Symbolic links on the way of a path are the walker's: it adds the path they lead to.
 */
export function createContextFilter(paths: string[] | undefined, ignore: string[]): ContextFilter {
  const matcher = createIgnoreMatcher(ignore);
  const wanted = paths?.map((path) => globTokens(path)).filter((tokens) => tokens !== undefined);
  const isWanted = (path: string) => wanted === undefined || wanted.some((tokens) => matchesHead(tokens, path));
  return {
    includes: (path) => isWanted(path) && !matcher.ignores(path),
    enters(directory) {
      const leads = isWanted(directory) || wanted!.some((tokens) => leadsBelow(tokens, directory));
      return leads && (!matcher.ignores(directory) || matcher.entersIgnored(directory));
    },
  };
}

/** Whether the path or one of its parents matches. */
function matchesHead(tokens: Token[], path: string): boolean {
  if (matchesTokens(tokens, path)) return true;
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    if (matchesTokens(tokens, path.slice(0, at))) return true;
  }
  return false;
}

function leadsBelow(tokens: Token[], directory: string): boolean {
  return directory === '' || directory === '.' || advanceAll(tokens, begin(tokens), `${directory}/`).size > 0;
}
