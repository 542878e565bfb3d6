import { asStackError } from '../../schemas/errors.ts';
import { tell } from '../apply.ts';
import { define } from '../command.ts';
import { renderer } from '../render/render.ts';
import { inTurn, openImages } from './open.ts';

export const rm = define<{ force?: boolean; prune: boolean }>({
  usage: 'rm IMAGE...',
  summary: 'Remove images',
  dryRun: 'told',
  examples: [
    ['stack image rm redis:7', 'Remove a name, and the image with its last name.'],
    ['stack image rm -f 1f2d3c4b5a69', 'Remove an image by its id with all its names.'],
  ],
  options(command) {
    command
      .option('-f, --force', 'take the names of an image that containers use; say nothing where there is no such image')
      .option('--no-prune', 'take only the names, keep the image');
  },
  async action(context, names, { force = false, prune }) {
    const images = await openImages(context);
    if (context.globals.dryRun) {
      const { emit, close } = renderer(context);
      const there = force ? names.filter((name) => images.find(name)) : names.map((name) => images.get(name) && name);
      await tell(
        emit,
        'image.remove',
        there.map((name) => `image ${name}`),
        async () => {},
        true,
      );
      return close();
    }
    await inTurn(names, async (name) => {
      try {
        const { untagged, deleted } = await images.remove(name, { isForced: force, keepsContent: !prune });
        for (const each of untagged) context.stdout.write(`Untagged: ${each}\n`);
        for (const each of deleted) context.stdout.write(`Deleted: ${each}\n`);
      } catch (error) {
        if (!force || asStackError(error).code !== 'image.not-found') throw error;
      }
    });
  },
});
