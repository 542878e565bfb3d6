import { apply, given } from './apply.ts';
import { define } from './command.ts';
import { projectOrRecords } from './project.ts';
import { renderer } from './render/render.ts';

export const start = define({
  usage: 'start [SERVICE...]',
  summary: 'Start containers that were stopped',
  examples: [['stack start', 'Start the containers of the stack again.']],
  async action(context, services) {
    const render = renderer(context);
    const engine = await context.engine();
    const { project, disabledServices } = await projectOrRecords(context, engine, render.emit, services);
    await apply(
      context,
      engine,
      project,
      given({ action: 'start' as const, services, disabledServices }),
      { command: 'stack start' },
      render,
    );
  },
});
