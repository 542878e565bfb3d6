import { Option } from 'commander';
import { StackError } from '../schemas/errors.ts';
import { apply, given, timeoutMs } from './apply.ts';
import { define } from './command.ts';
import { removesOrphans } from './orphans.ts';
import { projectOrRecords } from './project.ts';
import { removeImages, type Which } from './remove-images.ts';
import { renderer } from './render/render.ts';

interface Flags {
  volumes?: boolean;
  removeOrphans?: boolean;
  timeout?: number;
  rmi?: Which;
}

export const down = define<Flags>({
  usage: 'down [SERVICE...]',
  summary: 'Stop and remove the containers and networks of the stack',
  dryRun: 'told',
  examples: [
    ['stack down', 'Remove containers and networks; volumes stay.'],
    ['stack down --rmi local', 'Remove the images that were built for the stack, too.'],
    ['stack -p demo down -v', 'Remove the stack named demo and its volumes, without its stack file.'],
  ],
  options(command) {
    command
      .option('-v, --volumes', 'remove named volumes of the stack file and anonymous ones too')
      .option('--remove-orphans', 'remove containers of services that the stack file no longer has')
      .option('-t, --timeout <seconds>', 'time to stop before being killed', timeoutMs)
      .addOption(
        new Option('--rmi <which>', 'remove images: local, those built and not named by the file, or all').choices([
          'local',
          'all',
        ]),
      );
  },
  async action(context, services, flags) {
    const render = renderer(context);
    const engine = await context.engine();
    const { project, disabledServices } = await projectOrRecords(context, engine, render.emit);
    const { volumes: removeVolumes, timeout } = flags;
    const removeOrphans = removesOrphans(flags, context);
    const { plan } = await apply(
      context,
      engine,
      project,
      given({ action: 'down' as const, services, removeOrphans, removeVolumes, timeoutMs: timeout, disabledServices }),
      { command: 'stack down' },
      render,
    );
    const after = renderer(context);
    try {
      const images = flags.rmi ? await removeImages(context, project, services, flags.rmi, after.emit) : 0;
      if (plan.operations.length > 0 || images > 0 || context.globals.dryRun) return;
      const error = new StackError('usage', { message: `Stack ${project.name} has nothing to remove.` });
      after.emit({ type: 'warning', error });
    } finally {
      await after.close();
    }
  },
});
