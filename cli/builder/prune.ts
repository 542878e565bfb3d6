import { parseTime } from '../../engine/logs/time.ts';
import { StackError } from '../../schemas/errors.ts';
import { interruptible } from '../apply.ts';
import { collect, define } from '../command.ts';
import { bytes } from '../gc.ts';
import { confirm, openImages } from '../image/open.ts';
import { size } from '../render/words.ts';

interface Flags {
  all?: boolean;
  force?: boolean;
  filter?: string[];
  keepStorage?: number;
  reservedSpace?: number;
}

export const prune = define<Flags>({
  usage: 'prune',
  summary: 'Remove the build cache',
  examples: [
    ['stack builder prune -f', 'Remove what takes disk for builds alone, without asking.'],
    ['stack builder prune --filter until=240h', 'Remove what no build used for ten days.'],
    ['stack builder prune -af --keep-storage 5GB', 'Keep at most 5 GB, what was used last.'],
  ],
  options(command) {
    command
      .option('-a, --all', 'also steps whose layers images have: it forgets them')
      .option('-f, --force', 'do not ask')
      .option('--filter <filter>', 'until=TIME: last used before (repeatable)', collect)
      .option('--keep-storage <size>', 'disk that the cache may take: 500MB, 5GB, 5GiB, or bytes', bytes)
      .option('--reserved-space <size>', 'the same', bytes);
  },
  async action(context, _, { all = false, force = false, filter = [], keepStorage, reservedSpace }) {
    const before = untilOf(filter);
    const what = all ? 'all build cache' : 'all dangling build cache';
    if (!force && !(await confirm(context, `This will remove ${what}.`))) return;
    const [host, { store }, { pruneCache }] = await Promise.all([
      context.host(),
      openImages(context),
      import('../../engine/build/cache.ts'),
    ]);
    const keep = keepStorage ?? reservedSpace ?? 0;
    const done = await interruptible((signal) => pruneCache(store, host.layout, { isAll: all, before, keep }, signal));
    if (done.deleted.length > 0) {
      context.stdout.write(`Deleted build cache objects:\n${done.deleted.map((key) => `${key}\n`).join('')}\n`);
    }
    context.stdout.write(`Total reclaimed space: ${size(done.bytes)}\n`);
  },
});

/** ms since the epoch; of several the earliest. @throws StackError `usage` */
function untilOf(filters: string[]): number {
  const times = filters.map((text) => {
    const [, value] = /^(?:until|unused-for)=(.+)$/.exec(text) ?? [];
    if (value !== undefined) return Date.parse(parseTime(value));
    throw new StackError('usage', {
      message: `"${text}" is no filter of \`stack builder prune\`.`,
      hint: 'Known is until, followed by = and a time.',
    });
  });
  return Math.min(Number.POSITIVE_INFINITY, ...times);
}
