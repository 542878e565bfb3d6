import { Option } from 'commander';
import { parseReference } from '../../engine/images/images.ts';
import { given } from '../apply.ts';
import { define } from '../command.ts';
import { each, openImages } from './open.ts';

export const pull = define<{ platform?: string; policy: 'always' | 'missing'; quiet?: boolean }>({
  usage: 'pull IMAGE...',
  summary: 'Download images',
  dryRun: 'told',
  examples: [['stack image pull redis:7 nginx', 'Download two images at once.']],
  options(command) {
    command
      .option('--platform <platform>', 'such as linux/arm64; without, that of this machine')
      .addOption(
        new Option('--policy <policy>', 'when to ask the registry').choices(['always', 'missing']).default('always'),
      )
      .option('-q, --quiet', 'print the names alone');
  },
  async action(context, names, { platform, policy, quiet }) {
    const images = await openImages(context);
    await each(context, 'image.pull', names, quiet === true, (name, onProgress, signal) =>
      images.pull(name, given({ platform, policy, onProgress, signal })),
    );
    if (context.globals.dryRun) return;
    for (const name of names) context.stdout.write(`${parseReference(name).name}\n`);
  },
});
