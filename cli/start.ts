import { applyToContainers, timeoutMs } from './apply.ts';
import { define } from './command.ts';

interface Flags {
  wait?: boolean;
  waitTimeout?: number;
}

export const start = define<Flags>({
  usage: 'start [SERVICE...]',
  summary: 'Start containers that were stopped',
  dryRun: 'told',
  examples: [
    ['stack start', 'Start the containers of the stack again.'],
    ['stack start --wait db', 'Start db, and return once it is healthy.'],
  ],
  options(command) {
    command
      .option('--wait', 'return once every service runs, or is healthy where it has a health check')
      .option('--wait-timeout <seconds>', 'longest time to wait', timeoutMs);
  },
  action: (context, services, { wait, waitTimeout }) =>
    applyToContainers(context, 'start', services, { wait }, waitTimeout),
});
