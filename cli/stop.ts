import { apply, given, timeoutMs } from './apply.ts';
import { define } from './command.ts';
import { projectOrRecords } from './project.ts';
import { renderer } from './render/render.ts';

interface Flags {
  timeout?: number;
}

export const stop = define<Flags>({
  usage: 'stop [SERVICE...]',
  summary: 'Stop containers and keep them',
  examples: [['stack stop web', 'Stop the containers of web; `stack start web` goes on with them.']],
  options(command) {
    command.option('-t, --timeout <seconds>', 'time to stop before being killed', timeoutMs);
  },
  async action(context, services, flags) {
    const render = renderer(context);
    const engine = await context.engine();
    const { project, disabledServices } = await projectOrRecords(context, engine, render.emit, services);
    await apply(
      context,
      engine,
      project,
      given({ action: 'stop' as const, services, timeoutMs: flags.timeout, disabledServices }),
      { command: 'stack stop' },
      render,
    );
  },
});
