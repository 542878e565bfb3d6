import { InvalidArgumentError } from 'commander';
import { StackError } from '../schemas/errors.ts';
import { apply, given } from './apply.ts';
import { define } from './command.ts';
import { scale as serviceScale } from './plan-options.ts';
import { loadSupported } from './project.ts';
import { renderer } from './render/render.ts';

export const scale = define<{ deps: boolean }>({
  usage: 'scale <SERVICE=REPLICAS...>',
  summary: 'Change how many containers services have',
  dryRun: 'told',
  examples: [['stack scale web=3 worker=0', 'Run three containers of web and none of worker.']],
  options(command) {
    command.option('--no-deps', 'only the services named, without what they need');
  },
  async action(context, pairs, { deps }) {
    const replicas: Record<string, number> = Object.assign({}, ...pairs.map(parsed));
    const services = Object.keys(replicas);
    const show = renderer(context);
    const engine = await context.engine();
    const { project, disabled } = await loadSupported(context, show.emit, services);
    const disabledServices = Object.keys(disabled);
    const options = given({ action: 'up' as const, services, scale: replicas, noDeps: !deps, disabledServices });
    await apply(context, engine, project, options, { command: 'stack scale' }, show);
  },
});

/** @throws StackError `usage` */
function parsed(pair: string): Record<string, number> {
  try {
    return serviceScale(pair, {});
  } catch (thrown) {
    if (!(thrown instanceof InvalidArgumentError)) throw thrown;
    throw new StackError('usage', {
      message: `"${pair}" is no number of containers.`,
      hint: 'Write it as SERVICE=NUMBER, such as web=3.',
    });
  }
}
