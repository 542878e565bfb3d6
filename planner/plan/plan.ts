/** A plan as people and scripts read it. */
import type { Operation, Plan } from '../../schemas/plan.ts';
import { costOf, costText } from './cost.ts';

type Sign = '+' | '~' | '-' | ' ';
interface Line {
  sign: Sign;
  text: string;
  cause: string;
  verb: string;
  cost: string;
}

/**
 * The plan as text, one line a resource: `~ restart container demo-web-1   because …  (downtime)`, its summary last. Steps that belong together (stop, create, start, remove the old one) are one line.
 */
export function planText(plan: Plan): string {
  const lines = planLines(plan);
  const width = Math.min(60, Math.max(0, ...lines.map(({ text }) => text.length)));
  const out = lines.map(
    ({ sign, text, cause, cost }) => `${sign} ${text.padEnd(width)}  because ${cause}${cost ? `  ${cost}` : ''}`,
  );
  for (const warning of plan.warnings) out.push(`! ${warning}`);
  out.push(summary(lines));
  return out.join('\n');
}

/** Whether it does anything but wait, as `--wait` does where everything is up. */
export const hasChanges = ({ operations }: Plan): boolean => operations.some(({ kind }) => kind !== 'dependency.await');

/** What `stack plan --json` prints: the operations without the records they carry. */
export function planJson(plan: Plan): object {
  const { stack, action, orphans, warnings } = plan;
  const together = Map.groupBy(plan.operations, ({ resource }) => resource);
  const operations = plan.operations.map((operation) => {
    const { id, kind, resource, cause, needs } = operation;
    const changed = 'changed' in operation ? { changed: operation.changed } : {};
    return { id, kind, resource, cause, ...changed, cost: costOf(operation, together.get(resource)!), needs };
  });
  return { stack, action, operations, orphans, warnings };
}

/** `Plan: 2 to create, 1 to recreate.`, or `No changes.` */
function summary(lines: Line[]): string {
  const counts = new Map<string, number>();
  for (const { verb, sign } of lines) if (sign !== ' ') counts.set(verb, (counts.get(verb) ?? 0) + 1);
  if (counts.size === 0) return 'No changes.';
  return `Plan: ${[...counts].map(([verb, count]) => `${count} to ${verb}`).join(', ')}.`;
}

function planLines(plan: Plan): Line[] {
  const byResource = new Map<string, Operation[]>();
  for (const operation of plan.operations) {
    // Waits are told apart by what they wait for.
    const isWait = operation.kind === 'dependency.await' || operation.kind === 'update.monitor';
    const key = isWait ? operation.id : operation.resource;
    const group = byResource.get(key);
    if (group) group.push(operation);
    else byResource.set(key, [operation]);
  }
  return [...byResource.values()].flatMap(linesOf);
}

function linesOf(group: Operation[]): Line[] {
  const has = (kind: Operation['kind']) => group.find((operation) => operation.kind === kind);
  const line = (sign: Sign, verb: string, of: Operation, paid: Operation[] = [of]): Line => {
    return { sign, verb, text: `${verb} ${of.resource}`, cause: of.cause, cost: costText(paid, group) };
  };
  const [first] = group;
  switch (first!.kind) {
    case 'image.build':
      return [line('+', 'build', first!)];
    case 'image.pull':
      return [line('+', 'pull', first!)];
    case 'stray.remove':
      return [line('-', 'remove', first!)];
    case 'network.update':
    case 'volume.update':
      return [line('~', 'update', first!)];
    case 'dependency.await': {
      const { service, cause, condition } = first!;
      const until =
        condition === 'service_healthy'
          ? 'to be healthy'
          : condition === 'service_running_or_healthy'
            ? 'to be up'
            : 'to complete';
      return [{ sign: ' ', verb: 'wait', text: `wait for service ${service} ${until}`, cause, cost: '' }];
    }
  }
  if (first!.kind === 'update.monitor') {
    const { containers, batch, batches, cause } = first!;
    const text = `watch batch ${batch} of ${batches}: ${containers.join(', ')}`;
    return [{ sign: ' ', verb: 'watch', text, cause, cost: '' }];
  }
  const create = has('network.create') ?? has('volume.create') ?? has('container.create');
  const removals = group.filter(({ kind }) => kind.endsWith('.remove'));
  const stop = has('container.stop');
  const stops = stop ? [stop] : [];
  const isReplaced = create?.kind === 'container.create' ? create.replaces !== undefined : removals.length > 0;
  if (create && isReplaced) {
    const replaced = create.kind === 'container.create' ? create.replaces!.id : undefined;
    const isOther = (one: Operation) => one.kind === 'container.remove' && one.record.id !== replaced;
    const paid = [...stops, ...removals.filter((removal) => !isOther(removal))];
    return [line('~', 'recreate', create, paid), ...removals.filter(isOther).map((one) => line('-', 'remove', one))];
  }
  const lines = removals.map((removal) => line('-', 'remove', removal, [...stops, removal]));
  const start = has('container.start');
  if (create?.kind === 'network.create' && create.isRepair) lines.push(line('~', 'repair', create));
  else if (create) lines.push(line('+', 'create', create));
  else if (start && stop && removals.length === 0) lines.push(line('~', 'restart', start, [stop]));
  else if (start) lines.push(line('+', 'start', start));
  else if (stop && removals.length === 0) lines.push(line('-', 'stop', stop));
  return lines;
}
