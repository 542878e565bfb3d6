import { Option } from 'commander';
import { parseReference } from '../engine/images/images.ts';
import { given, interruptible, tell } from './apply.ts';
import { collect, define, integer } from './command.ts';
import { oneContainer, openStack } from './containers.ts';
import { openImages } from './image/open.ts';
import { renderer } from './render/render.ts';

interface Flags {
  author?: string;
  change?: string[];
  index?: number;
  message?: string;
  pause?: boolean;
}

export const commit = define<Flags>({
  usage: 'commit SERVICE [REPOSITORY[:TAG]]',
  summary: "Make an image of a service's container as it is now",
  dryRun: 'told',
  examples: [
    ['stack commit web team/web:debug', 'Keep the files of the container of web as an image.'],
    [`stack commit -c 'CMD ["sh"]' web team/web:shell`, 'Change what the image runs, too.'],
  ],
  options(command) {
    command
      .option('-a, --author <author>', 'who made it')
      .option('-c, --change <instruction>', 'apply an instruction of a Dockerfile (repeatable)', collect)
      .option('--index <number>', 'number of the container where the service has several', integer)
      .option('-m, --message <message>', 'what is told in its history')
      .option('--no-pause', 'let the container run on meanwhile')
      .addOption(new Option('-p, --pause', 'pause it meanwhile, as is done anyway').hideHelp());
  },
  async action(context, [service = '', name], { author, change: changes = [], index, message, pause = true }) {
    const names = name === undefined ? [] : [parseReference(name).name];
    const { engine, stack } = await openStack(context);
    const { record, status } = await oneContainer(engine, stack, service, index, { isEnded: true });
    const [images, containers, { commit }] = await Promise.all([
      openImages(context),
      engine.containers(),
      import('../engine/containers/commit.ts'),
    ]);
    const show = renderer(context);
    const isPaused = pause && status.state === 'running' && !context.globals.dryRun;
    try {
      if (isPaused) await containers.pause(record);
      const work = (signal: AbortSignal) =>
        tell(
          show.emit,
          'container.commit',
          [`container ${record.name}`],
          () => commit(engine.host, images, record, given({ names, author, message, changes, signal })),
          context.globals.dryRun,
        );
      const [image] = await interruptible(work);
      if (image) context.stdout.write(`${image.id}\n`);
    } finally {
      if (isPaused) await containers.unpause(record);
      await show.close();
    }
  },
});
