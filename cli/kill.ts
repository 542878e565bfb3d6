import { constants } from 'node:os';
import { StackError } from '../schemas/errors.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';
import { tell } from './apply.ts';
import { define } from './command.ts';
import { findContainers } from './containers.ts';
import { namedStack } from './project.ts';
import { renderer } from './render/render.ts';

interface Flags {
  signal: string;
  removeOrphans?: boolean;
}

export const kill = define<Flags>({
  usage: 'kill [SERVICE...]',
  summary: 'Send a signal to containers, SIGKILL unless another is named',
  dryRun: 'told',
  examples: [['stack kill -s HUP web', 'Make web read its configuration again.']],
  options(command) {
    command
      .option('-s, --signal <signal>', 'signal to send: name or number', 'SIGKILL')
      .option('--remove-orphans', 'also to containers of services that the stack file no longer has');
  },
  async action(context, services, flags) {
    const signal = signalNumber(flags.signal);
    const { emit, close } = renderer(context);
    const stack = await namedStack(context, emit);
    const engine = await context.engine();
    const found = await findContainers(engine, stack, services);
    const isOrphan = (service: string) => stack.services.length > 0 && !stack.services.includes(service);
    const meant = found.filter(({ record }) => flags.removeOrphans || !isOrphan(record.service));
    const running = meant.filter(({ status }) => ['running', 'paused', 'restarting'].includes(status.state));
    if (running.length === 0) {
      const error = new StackError('runtime.not-running', {
        message: `No container of stack ${stack.name} is running.`,
      });
      emit({ type: 'warning', error });
    }
    const containers = await engine.containers();
    try {
      const resources = running.map(({ record }) => `container ${record.name}`);
      const one = (index: number) => containers.kill((running[index] as ObservedContainer).record, signal);
      await tell(emit, 'container.kill', resources, one, context.globals.dryRun);
    } finally {
      await close();
    }
  },
});

/** `HUP`, `SIGHUP` or `1`. @throws StackError `usage` */
export function signalNumber(text: string): number {
  const name = text.toUpperCase();
  const signals: Record<string, number> = constants.signals;
  const number = /^\d+$/.test(text) ? Number(text) : (signals[name] ?? signals[`SIG${name}`]);
  if (number !== undefined && number > 0 && number <= 64) return number;
  throw new StackError('usage', {
    message: `"${text}" is not a signal.`,
    hint: 'Give a name (SIGHUP, HUP) or number.',
  });
}
