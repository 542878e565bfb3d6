import { applyToContainers, timeoutMs } from './apply.ts';
import { define } from './command.ts';

interface Flags {
  timeout?: number;
}

export const stop = define<Flags>({
  usage: 'stop [SERVICE...]',
  summary: 'Stop containers and keep them',
  dryRun: 'told',
  examples: [['stack stop web', 'Stop the containers of web; `stack start web` goes on with them.']],
  options(command) {
    command.option('-t, --timeout <seconds>', 'time to stop before being killed', timeoutMs);
  },
  action: (context, services, flags) => applyToContainers(context, 'stop', services, { timeoutMs: flags.timeout }),
});
