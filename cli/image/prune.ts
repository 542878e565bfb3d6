import { interruptible } from '../apply.ts';
import { collect, define } from '../command.ts';
import { size } from '../render/words.ts';
import { imageFilter } from './filter.ts';
import { confirm, openImages } from './open.ts';

export const prune = define<{ all?: boolean; force?: boolean; filter?: string[] }>({
  usage: 'prune',
  summary: 'Remove images that no container uses',
  examples: [
    ['stack image prune -f', 'Remove the images that lost their names, without asking.'],
    ['stack image prune -a --filter until=240h', 'Remove all unused images made more than ten days ago.'],
  ],
  options(command) {
    command
      .option('-a, --all', 'also those that have names')
      .option('-f, --force', 'do not ask')
      .option('--filter <filter>', 'until, label, label!: key=value (repeatable)', collect);
  },
  async action(context, _, { all = false, force = false, filter = [] }) {
    const images = await openImages(context);
    const isMeant = imageFilter('prune', filter, images);
    // As in docker: the filter dangling=false is another way to say -a.
    const takesNamed = all || filter.some((each) => /^dangling=(false|0)$/.test(each));
    const isAsked = !force && images.list().length > 0;
    const what = takesNamed ? 'all images without at least one container' : 'all dangling images';
    if (isAsked && !(await confirm(context, `This will remove ${what}.`))) return;
    const [host, { prune }] = await Promise.all([context.host(), import('../../engine/images/prune.ts')]);
    const { untagged, deleted, bytes } = await interruptible((signal) =>
      prune(
        images.store,
        host.layout,
        images.list(),
        (image) => (all || takesNamed || image.names.length === 0) && isMeant(image),
        signal,
      ),
    );
    if (untagged.length + deleted.length > 0) {
      const lines = [...untagged.map((each) => `untagged: ${each}`), ...deleted.map((each) => `deleted: ${each}`)];
      context.stdout.write(`Deleted Images:\n${lines.join('\n')}\n\n`);
    }
    context.stdout.write(`Total reclaimed space: ${size(bytes)}\n`);
  },
});
