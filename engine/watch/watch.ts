/**
 * The watch of a stack: changes of its files become actions on its services. Who changes what is told by the source tree, what
 * follows is decided by planner/watch, and each service carries out what concerns it (service-watch.ts).
 */
import { createWatchMatcher } from '../../planner/watch/matcher.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Emit } from '../../schemas/events.ts';
import type { WatchChange, WatchRule } from '../../schemas/watch.ts';
import type { Engine } from '../engine.ts';
import { ServiceWatch, type WatchActions } from './service-watch.ts';
import { SourceTree } from './source-tree.ts';

export type { WatchActions } from './service-watch.ts';

export interface WatchRequest {
  stack: string;
  /** Paths without links in them. */
  rules: WatchRule[];
  /** A path as people are shown it. */
  shown(path: string): string;
  emit: Emit;
  actions: WatchActions;
}

export interface Watch extends AsyncDisposable {
  /** Directories that are watched. */
  readonly directories: number;
}

/** Milliseconds without an event after which a set of files counts as saved, and the longest wait for that. */
const quietMs = 8;
const longestMs = 60;
/** So many events at once, and the kernel may have dropped some (inotify(7), max_queued_events). */
const burst = 4000;

/** Looks at everything once, brings over what changed since the last watch, and goes on from there. */
export async function startWatch(engine: Engine, request: WatchRequest): Promise<Watch> {
  const { rules, emit } = request;
  const matched = rules.map((rule) => ({ rule, matcher: createWatchMatcher(rule) }));
  const byService = Map.groupBy(matched, ({ rule }) => rule.service);
  const services = [...byService].map(([name, own]) => new ServiceWatch(engine, request, name, own));
  const sets = new Map<string, FileSet>();
  const setOf = (path: string) => {
    const top = tops.find((one) => path === one || path.startsWith(one === '/' ? one : `${one}/`)) ?? tops[0]!;
    const known = sets.get(top) ?? new FileSet((paths, since) => changed(top, paths, since));
    sets.set(top, known);
    return known;
  };
  const changed = (top: string, paths: string[], since: number) => {
    if (isOver) return;
    tell(
      paths.flatMap((path) => tree.update(path)),
      since,
    );
    if (paths.length >= burst)
      setTimeout(() => !isOver && tell(tree.updateAll(above(top)), performance.now()), 100).unref();
  };
  const tell = (changes: WatchChange[], since: number) => {
    if (!isOver && changes.length > 0) for (const service of services) service.onChanges(changes, since);
  };
  let isOver = false;
  const tree = new SourceTree(
    {
      takes: (path) => matched.some(({ matcher }) => matcher.takes(path)),
      enters: (directory) => matched.some(({ matcher }) => matcher.enters(directory)),
    },
    {
      onHint: (path) => setOf(path).add(path),
      onProblem: (error) => emit({ type: 'warning', error: error as StackError }),
    },
  );
  const paths = [...new Set(rules.map(({ path }) => path))].sort((a, b) => a.length - b.length);
  const tops = paths.filter((path, at) => !paths.slice(0, at).some((one) => path.startsWith(`${one}/`)));
  // The directory above, too: a rule's own may go and come back with another branch.
  for (const top of tops) tree.add(above(top));
  for (const { rule, matcher } of matched) {
    if (![...tree.entries(rule.path)].some(([path, { kind }]) => kind !== 'directory' && matcher.takes(path))) {
      emit({ type: 'warning', error: matchesNothing(rule) });
    }
  }
  await Promise.all(services.map((service) => service.begin(tree)));
  return {
    get directories() {
      return tree.size;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      for (const set of sets.values()) set[Symbol.dispose]();
      // They write down what the tree knows.
      await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
      tree[Symbol.dispose]();
    },
  };
}

const above = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/';

const matchesNothing = ({ service, index, path }: WatchRule) =>
  new StackError('config.surprise', {
    message: `services.${service}.develop.watch.${index} matches no file of ${path}`,
    hint: 'Look at its path, `include` and `ignore`, and at .dockerignore of the build context.',
    resource: `services.${service}.develop.watch.${index}`,
  });

/** Files that are saved together: an event more starts the wait anew, for so long and no longer. */
class FileSet implements Disposable {
  private readonly onQuiet: (paths: string[], since: number) => void;
  private readonly paths = new Set<string>();
  private since = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(onQuiet: (paths: string[], since: number) => void) {
    this.onQuiet = onQuiet;
  }

  add(path: string): void {
    const now = performance.now();
    if (this.paths.size === 0) this.since = now;
    this.paths.add(path);
    if (this.timer && now - this.since > longestMs) return;
    if (this.timer) this.timer.refresh();
    else this.timer = setTimeout(() => this.flush(), quietMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
  }

  private flush(): void {
    this.timer = undefined;
    const paths = [...this.paths];
    this.paths.clear();
    this.onQuiet(paths, this.since);
  }
}
