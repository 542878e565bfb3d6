import { InvalidArgumentError } from 'commander';
import { interruptible } from './apply.ts';
import { define } from './command.ts';
import { openImages } from './image/open.ts';
import { size } from './render/words.ts';

export const gc = define<{ keep: number }>({
  usage: 'gc',
  summary: 'Make room: remove unused images and build cache, the least recently used first',
  examples: [
    ['stack gc --keep 20GB', 'Remove until images and build cache take at most 20 GB, or only used ones are left.'],
    ['stack gc --keep 0', 'Remove every image that no container uses.'],
  ],
  options(command) {
    command.requiredOption(
      '--keep <size>',
      'disk that images and build cache may take: 500MB, 20GB, 20GiB, or bytes',
      bytes,
    );
  },
  async action(context, _, { keep }) {
    const [host, images, { gc }, { cacheItems, removeGone }] = await Promise.all([
      context.host(),
      openImages(context),
      import('../engine/images/prune.ts'),
      import('../engine/build/cache.ts'),
    ]);
    const { store } = images;
    const done = await interruptible((signal) =>
      gc(store, host.layout, images.list, keep, signal, () => cacheItems(store, host.layout)),
    );
    done.bytes += removeGone(store, host.layout);
    for (const each of done.untagged) context.stdout.write(`untagged: ${each}\n`);
    for (const each of done.deleted) context.stdout.write(`deleted: ${each}\n`);
    context.stdout.write(
      `Total reclaimed space: ${size(done.bytes)}\nImages and build cache take now: ${size(done.total)}\n`,
    );
    if (done.total > keep) context.stdout.write('What is left is used by containers.\n');
  },
});

const units: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const binary: Record<string, number> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `20GB` in powers of 1000 as `image ls` prints sizes, `20GiB` in powers of 1024. */
export function bytes(text: string): number {
  const [, count, unit = '', isBinary] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i.exec(text) ?? [];
  const factor = (isBinary ? binary : units)[unit.toLowerCase()];
  if (count === undefined || factor === undefined) {
    throw new InvalidArgumentError('It must be a size, such as 500MB or 20GB.');
  }
  return Math.round(Number(count) * factor);
}
