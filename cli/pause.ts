import type { ContainerState } from '../schemas/container.ts';
import { StackError } from '../schemas/errors.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';
import { tell } from './apply.ts';
import { type Context, define } from './command.ts';
import { findContainers, openStack } from './containers.ts';
import { renderer } from './render/render.ts';

export const pause = define({
  usage: 'pause [SERVICE...]',
  summary: 'Let containers stand still, with all they have in memory',
  dryRun: 'told',
  examples: [['stack pause', 'Pause the stack; `stack unpause` lets it go on.']],
  action: (context, services) => turn(context, services, 'pause', 'running'),
});

export const unpause = define({
  usage: 'unpause [SERVICE...]',
  summary: 'Let containers go on that were paused',
  dryRun: 'told',
  examples: [['stack unpause db', 'Let db go on.']],
  action: (context, services) => turn(context, services, 'unpause', 'paused'),
});

/** Those that are so already are passed over. */
async function turn(
  context: Context,
  services: string[],
  verb: 'pause' | 'unpause',
  from: ContainerState,
): Promise<void> {
  const { engine, stack } = await openStack(context);
  const found = (await findContainers(engine, stack, services)).filter(({ status }) => status.state === from);
  const { emit, close } = renderer(context);
  try {
    if (found.length === 0) {
      const error = new StackError('runtime.not-running', {
        message: `No container of stack ${stack.name} is ${from}.`,
      });
      emit({ type: 'warning', error });
    }
    const containers = await engine.containers();
    const resources = found.map(({ record }) => `container ${record.name}`);
    const one = (index: number) => containers[verb]((found[index] as ObservedContainer).record);
    await tell(emit, `container.${verb}`, resources, one, context.globals.dryRun);
  } finally {
    await close();
  }
}
