import { applyToContainers, timeoutMs } from './apply.ts';
import { define } from './command.ts';

interface Flags {
  timeout?: number;
  deps?: boolean;
}

export const restart = define<Flags>({
  usage: 'restart [SERVICE...]',
  summary: 'Stop containers and start them again',
  dryRun: 'told',
  examples: [
    ['stack restart web', 'Restart the containers of web as they are; changes of the stack file need `stack up`.'],
  ],
  options(command) {
    command
      .option('-t, --timeout <seconds>', 'time to stop before being killed', timeoutMs)
      .option('--no-deps', 'do not restart services that depend on it with restart: true');
  },
  action: (context, services, flags) =>
    applyToContainers(context, 'restart', services, { timeoutMs: flags.timeout, noDeps: flags.deps === false }),
});
