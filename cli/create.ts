import { Option } from 'commander';
import { apply } from './apply.ts';
import { define } from './command.ts';
import { checkPlanFlags, type PlanFlags, pullPolicies, reconcileOptions, scale } from './plan-options.ts';
import { loadSupported } from './project.ts';
import { renderer } from './render/render.ts';

type Flags = Pick<PlanFlags, 'forceRecreate' | 'recreate' | 'pull' | 'build' | 'scale' | 'removeOrphans'> & {
  quietPull?: boolean;
};

export const create = define<Flags>({
  usage: 'create [SERVICE...]',
  summary: 'Create the containers of the stack, and start nothing',
  dryRun: 'told',
  examples: [['stack create', 'Make everything ready; `stack start` starts it.']],
  options(command) {
    command
      .option('--build', 'build the images of services that have `build`, though they are there')
      .option('--no-build', 'build nothing: an image that is not there is an error')
      .option('--force-recreate', 'recreate containers though nothing changed')
      .option('--no-recreate', 'leave containers that exist as they are')
      .addOption(new Option('--pull <policy>', 'when to pull images').choices(pullPolicies))
      .option('--quiet-pull', 'do not show the progress of pulls')
      .option('--remove-orphans', 'remove containers of services that the stack file no longer has')
      .option('--scale <service=number>', 'number of containers of a service (repeatable)', scale)
      .addOption(new Option('-y, --yes', 'ask nothing').hideHelp());
  },
  async action(context, services, { quietPull = false, ...given }) {
    const flags: PlanFlags = { ...given, deps: true, start: false };
    checkPlanFlags(flags);
    const show = renderer(context, { quietPull });
    const engine = await context.engine();
    const { project, disabled } = await loadSupported(context, show.emit, services);
    const options = reconcileOptions(services, disabled, flags, context.environment);
    await apply(context, engine, project, options, { command: 'stack create' }, show);
  },
});
