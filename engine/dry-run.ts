/** `--dry-run`: a plan that is told and not carried out. */
import { StackError } from '../schemas/errors.ts';
import type { Emit, ToldOperation } from '../schemas/events.ts';
import type { Plan } from '../schemas/plan.ts';

/** `providers`: what is done of them besides, before the plan in `up`, behind it otherwise. */
export function tellPlan({ stack, action, operations, warnings }: Plan, providers: ToldOperation[], emit: Emit): void {
  for (const message of warnings) emit({ type: 'warning', error: new StackError('plan.warning', { message }) });
  const told = operations.map(({ id, kind, resource, cause }) => ({ id, kind, resource, cause }));
  emit({ type: 'dry-run', stack, operations: action === 'up' ? [...providers, ...told] : [...told, ...providers] });
}
