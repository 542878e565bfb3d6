/** A plan as people and scripts read it. */
import type { Operation, Plan } from '../../schemas/plan.ts';

type Sign = '+' | '~' | '-' | ' ';
interface Line {
  sign: Sign;
  text: string;
  cause: string;
  verb: string;
}

/**
 * The plan as text, one line a resource: `+ create container demo-web-1   because it does not exist yet`, its summary
 * last. Steps that belong together (stop, create, start, remove the old one) are one line.
 */
export function planText(plan: Plan): string {
  const lines = planLines(plan);
  const width = Math.min(60, Math.max(0, ...lines.map(({ text }) => text.length)));
  const out = lines.map(({ sign, text, cause }) => `${sign} ${text.padEnd(width)}  because ${cause}`);
  for (const warning of plan.warnings) out.push(`! ${warning}`);
  out.push(summary(lines));
  return out.join('\n');
}

/** What `stack plan --json` prints: the operations without the records they carry. */
export function planJson(plan: Plan): object {
  const { stack, action, orphans, warnings } = plan;
  const operations = plan.operations.map(({ id, kind, resource, cause, needs }) => ({
    id,
    kind,
    resource,
    cause,
    needs,
  }));
  return { stack, action, operations, orphans, warnings };
}

/** `Plan: 2 to create, 1 to recreate.`, or `No changes.` */
function summary(lines: Line[]): string {
  const counts = new Map<string, number>();
  for (const { verb, sign } of lines) if (sign !== ' ') counts.set(verb, (counts.get(verb) ?? 0) + 1);
  if (lines.length === 0) return 'No changes.';
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
  const line = (sign: Sign, verb: string, { resource, cause }: Operation): Line => {
    return { sign, verb, text: `${verb} ${resource}`, cause };
  };
  const [first] = group;
  switch (first!.kind) {
    case 'image.build':
      return [line('+', 'build', first!)];
    case 'image.pull':
      return [line('+', 'pull', first!)];
    case 'stray.remove':
      return [line('-', 'remove', first!)];
    case 'dependency.await': {
      const { service, cause, condition } = first!;
      const until =
        condition === 'service_healthy'
          ? 'to be healthy'
          : condition === 'service_running_or_healthy'
            ? 'to be up'
            : 'to complete';
      return [{ sign: ' ', verb: 'wait', text: `wait for service ${service} ${until}`, cause }];
    }
  }
  if (first!.kind === 'update.monitor') {
    const { containers, batch, batches, cause } = first!;
    const text = `watch batch ${batch} of ${batches}: ${containers.join(', ')}`;
    return [{ sign: ' ', verb: 'watch', text, cause }];
  }
  const create = has('network.create') ?? has('volume.create') ?? has('container.create');
  const removals = group.filter(({ kind }) => kind.endsWith('.remove'));
  const isReplaced = create?.kind === 'container.create' ? create.replaces !== undefined : removals.length > 0;
  if (create && isReplaced) {
    const replaced = create.kind === 'container.create' ? create.replaces!.id : undefined;
    const others = removals.filter(
      (removal) => 'record' in removal && 'id' in removal.record && removal.record.id !== replaced,
    );
    return [line('~', 'recreate', create), ...others.map((removal) => line('-', 'remove', removal))];
  }
  const lines = removals.map((removal) => line('-', 'remove', removal));
  const start = has('container.start');
  const stop = has('container.stop');
  if (create) lines.push(line('+', 'create', create));
  else if (start) lines.push(stop && removals.length === 0 ? line('~', 'restart', start) : line('+', 'start', start));
  else if (stop && removals.length === 0) lines.push(line('-', 'stop', stop));
  return lines;
}
