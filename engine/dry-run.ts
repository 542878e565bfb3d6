/** `--dry-run`: a plan that is told and not carried out. */

import { StackError } from '../schemas/errors.ts';
import type { Emit } from '../schemas/events.ts';
import type { Plan } from '../schemas/plan.ts';

export function tellPlan({ stack, operations, warnings }: Plan, emit: Emit): void {
  for (const message of warnings) emit({ type: 'warning', error: new StackError('plan.warning', { message }) });
  const told = operations.map(({ id, kind, resource, cause }) => ({ id, kind, resource, cause }));
  emit({ type: 'dry-run', stack, operations: told });
}
