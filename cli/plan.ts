import { hasChanges, planJson, planText } from '../planner/plan/plan.ts';
import { StackError } from '../schemas/errors.ts';
import { define } from './command.ts';
import { checkPlanFlags, type PlanFlags, planOptions, reconcileOptions } from './plan-options.ts';
import { loadSupported } from './project.ts';
import { renderer } from './render/render.ts';
import { visible } from './render/visible.ts';

type Flags = PlanFlags & { json?: boolean; output?: string };

export const plan = define<Flags>({
  usage: 'plan [SERVICE...]',
  summary: 'Print what `stack up` would do, and why; change nothing',
  dryRun: 'harmless',
  examples: [
    ['stack plan', 'Print the plan. The exit code is 0 without changes, 2 with changes, 1 after an error.'],
    ['stack plan --json', 'Print it as one JSON object.'],
    ['stack plan -o FILE', 'Keep it too: `stack up --plan FILE` does exactly that, or nothing.'],
  ],
  options(command) {
    planOptions(command)
      .option('--json', 'print one JSON object')
      .option('-o, --output <file>', 'also write the plan to a file, for `stack up --plan`');
  },
  async action(context, services, flags) {
    checkPlanFlags(flags);
    const show = renderer(context);
    const loaded = await loadSupported(context, show.emit, services);
    const { frozen, lockWarnings } = await import('./lock/frozen.ts');
    const project = flags.frozen ? await frozen(loaded) : loaded.project;
    const engine = await context.engine();
    const options = reconcileOptions(services, loaded.disabled, flags, context.environment);
    const { plan: made, snapshot } = await engine.plan(project, options);
    if (!flags.frozen) {
      for (const message of lockWarnings(loaded, snapshot)) {
        show.emit({ type: 'warning', error: new StackError('plan.warning', { message }) });
      }
    }
    await show.close();
    if (flags.output !== undefined && !context.globals.dryRun) {
      const { writePlan } = await import('./plan-file.ts');
      writePlan(flags.output, made, { loaded, project, snapshot, options, frozen: flags.frozen === true }, engine);
    }
    context.stdout.write(flags.json ? `${JSON.stringify(planJson(made), null, 2)}\n` : `${visible(planText(made))}\n`);
    return hasChanges(made) ? 2 : 0;
  },
});
