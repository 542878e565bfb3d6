import { apply, given, timeoutMs } from './apply.ts';
import { define } from './command.ts';
import { projectOrRecords } from './project.ts';
import { renderer } from './render/render.ts';

interface Flags {
  timeout?: number;
  deps?: boolean;
}

export const restart = define<Flags>({
  usage: 'restart [SERVICE...]',
  summary: 'Stop containers and start them again',
  examples: [
    ['stack restart web', 'Restart the containers of web as they are; changes of the stack file need `stack up`.'],
  ],
  options(command) {
    command
      .option('-t, --timeout <seconds>', 'time to stop before being killed', timeoutMs)
      .option('--no-deps', 'do not restart services that depend on it with restart: true');
  },
  async action(context, services, flags) {
    const render = renderer(context);
    const engine = await context.engine();
    const { project, disabledServices } = await projectOrRecords(context, engine, render.emit, services);
    await apply(
      context,
      engine,
      project,
      given({
        action: 'restart' as const,
        services,
        timeoutMs: flags.timeout,
        disabledServices,
        noDeps: flags.deps === false,
      }),
      { command: 'stack restart' },
      render,
    );
  },
});
