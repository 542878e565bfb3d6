import { planJson, planText } from '../planner/plan/plan.ts';
import { given } from './apply.ts';
import { define } from './command.ts';
import { removesOrphans } from './orphans.ts';
import { loadSupported } from './project.ts';
import { renderer } from './render/render.ts';
import { scale } from './up.ts';

interface Flags {
  json?: boolean;
  deps: boolean;
  forceRecreate?: boolean;
  removeOrphans?: boolean;
  scale?: Record<string, number>;
}

export const plan = define<Flags>({
  usage: 'plan [SERVICE...]',
  summary: 'Print what `stack up` would do, and why; change nothing',
  examples: [
    ['stack plan', 'Print the plan. The exit code is 0 without changes, 2 with changes, 1 after an error.'],
    ['stack plan --json', 'Print it as one JSON object.'],
  ],
  options(command) {
    command
      .option('--json', 'print one JSON object')
      .option('--no-deps', 'only the services named, without what they need')
      .option('--force-recreate', 'as `stack up --force-recreate` would do')
      .option('--remove-orphans', 'as `stack up --remove-orphans` would do')
      .option('--scale <service=number>', 'number of containers of a service (repeatable)', scale);
  },
  async action(context, services, flags) {
    const { emit, close } = renderer(context);
    const { project, disabled } = await loadSupported(context, emit, services);
    const engine = await context.engine();
    const { forceRecreate } = flags;
    const removeOrphans = removesOrphans(flags, context);
    const made = await engine.plan(
      project,
      given({
        action: 'up' as const,
        services,
        noDeps: !flags.deps,
        forceRecreate,
        removeOrphans,
        scale: flags.scale,
        disabledServices: Object.keys(disabled),
      }),
    );
    await close();
    context.stdout.write(flags.json ? `${JSON.stringify(planJson(made), null, 2)}\n` : `${planText(made)}\n`);
    return made.operations.length > 0 ? 2 : 0;
  },
});
