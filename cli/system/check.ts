import { familiar } from '../../engine/images/images.ts';
import { interruptible } from '../apply.ts';
import { define } from '../command.ts';
import { openImages } from '../image/open.ts';

export const check = define<{ quick?: boolean; repair?: boolean }>({
  usage: 'check',
  summary: 'Look whether the image store is whole, and mend it',
  examples: [
    ['stack system check', 'Read every blob and compare it with its digest; change nothing.'],
    ['stack system check --repair', 'Take out what is damaged, so that the next pull fetches it again.'],
  ],
  options(command) {
    command
      .option('-q, --quick', 'look what is there, without reading the blobs')
      .option('-r, --repair', 'take out what is damaged or left over');
  },
  async action(context, _, { quick = false, repair: mends = false }) {
    const [host, { store }, { fsck, repair }] = await Promise.all([
      context.host(),
      openImages(context),
      import('../../engine/images/fsck.ts'),
    ]);
    const found = await interruptible((signal) => fsck(store, host.layout, { isQuick: quick, signal }));
    const left = mends ? await repair(store, host.layout, found) : found;
    for (const { kind, subject, message, concerns } of found) {
      const whose = concerns.length > 0 ? ` (${concerns.map(familiar).join(', ')})` : '';
      context.stdout.write(`${kind}: ${subject}: ${message}${whose}\n`);
    }
    if (found.length === 0) context.stdout.write('Nothing is missing or damaged.\n');
    const names = new Set(left.flatMap(({ kind, concerns }) => (kind === 'unreferenced' ? [] : concerns)));
    for (const name of names) context.stdout.write(`\`stack image pull ${familiar(name)}\` fetches what it lacks.\n`);
    return left.some(({ kind }) => kind !== 'unreferenced') ? 1 : 0;
  },
});
