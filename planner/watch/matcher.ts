/** Which paths a rule of `develop.watch` takes. Source: compose-spec develop.md, "ignore" and "include". */
import type { WatchedPaths } from '../../schemas/watch.ts';
import { createIgnoreMatcher } from '../dockerfile/ignore/ignore.ts';

export interface WatchMatcher {
  /** Whether a change of this absolute path is one of the rule. */
  takes(path: string): boolean;
  /** Whether something below this absolute directory can be. */
  enters(directory: string): boolean;
}

/** What editors and version control write for themselves, as docker compose leaves it out too. By a component's name. */
const ephemeral =
  /(?:^|\/)(?:\.git|4913|\.#[^/]*|[^/]*~|\.[^/]*\.sw[a-px]|___jb_(?:tmp|old)___|\.goutputstream-[^/]*)(?:\/|$)/;

/** Path below `base` without a first slash, '' for itself; undefined for one that lies elsewhere. */
export function below(base: string, path: string): string | undefined {
  if (path === base) return '';
  const head = base === '/' ? '/' : `${base}/`;
  return path.startsWith(head) ? path.slice(head.length) : undefined;
}

export function createWatchMatcher({ path: top, ignore, include }: WatchedPaths): WatchMatcher {
  const ignored = ignore.map(({ base, lines }) => ({ base, matcher: createIgnoreMatcher(lines) }));
  const included = include && createIgnoreMatcher(include);
  return {
    takes(path) {
      const own = below(top, path);
      if (own === undefined || ephemeral.test(own)) return false;
      const isLeftOut = ignored.some(({ base, matcher }) => {
        const at = below(base, path);
        return at !== undefined && at !== '' && matcher.ignores(at);
      });
      return !isLeftOut && (!included || own === '' || included.ignores(own));
    },
    enters(directory) {
      // On the way to the rule's own directory, or in it.
      if (below(directory, top) !== undefined) return true;
      const own = below(top, directory);
      if (own === undefined || ephemeral.test(own)) return false;
      return !ignored.some(({ base, matcher }) => {
        const at = below(base, directory);
        return at !== undefined && at !== '' && matcher.ignores(at) && !matcher.entersIgnored(at);
      });
    },
  };
}
