import { applyToContainers } from './apply.ts';
import { define } from './command.ts';

export const start = define({
  usage: 'start [SERVICE...]',
  summary: 'Start containers that were stopped',
  dryRun: 'told',
  examples: [['stack start', 'Start the containers of the stack again.']],
  action: (context, services) => applyToContainers(context, 'start', services),
});
