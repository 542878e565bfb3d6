import { StackError } from '../../schemas/errors.ts';
import { given } from '../apply.ts';
import { define } from '../command.ts';
import { each, openImages } from './open.ts';

export const load = define<{ input?: string; platform?: string; quiet?: boolean }>({
  usage: 'load',
  summary: 'Read images from an archive of docker save or an OCI layout',
  dryRun: 'told',
  examples: [
    ['stack image load -i redis.tar', 'Read an archive; it may be compressed.'],
    ['docker save redis:7 | stack image load', 'Read an archive from standard input.'],
  ],
  options(command) {
    command
      .option('-i, --input <file>', 'archive, or directory of an OCI layout; without, standard input')
      .option('--platform <platform>', 'which image of several, such as linux/arm64')
      .option('-q, --quiet', 'print the names alone');
  },
  async action(context, _, { input, platform, quiet }) {
    if (input === undefined && context.stdin.isTTY) {
      throw new StackError('usage', {
        message: 'There is no archive to load: standard input is a terminal.',
        hint: 'Name one with -i, or send it to standard input.',
      });
    }
    const images = await openImages(context);
    const [loaded = []] = await each(
      context,
      'image.load',
      [input ?? 'from standard input'],
      quiet === true,
      (_name, onProgress, signal) => images.load(input ?? context.stdin, given({ platform, onProgress, signal })),
    );
    for (const image of loaded) context.stdout.write(`Loaded image: ${image.names[0] ?? image.id}\n`);
  },
});
