/** An explanation as text: the value, its place, its variables, and what it covers. */
import { formatPosition } from '../diagnose.ts';
import type { Reason } from '../load/places.ts';
import type { Explanation, UsedVariable } from './explain.ts';

const reasons: Record<Reason, string> = {
  file: 'of an earlier file or entry',
  extends: 'of the service it extends',
  environment: 'of an env_file or label_file',
  'merge key': 'of a mapping merged with <<',
};

/** One block of lines for each value, without a final newline. */
export function explanationText(explanations: Explanation[]): string {
  return explanations.map(block).join('\n');
}

function block({ path, value, where, isImplied, template, variables, over }: Explanation): string {
  const lines = [`${path} = ${JSON.stringify(value)}`];
  lines.push(
    where
      ? `  ${isImplied ? 'follows from' : 'written at'} ${formatPosition(where)}`
      : '  written nowhere: what Stack does where nothing is said',
  );
  if (template !== undefined) lines.push(`  as ${JSON.stringify(template)}`);
  lines.push(...variables.map(variableLine));
  for (const { value: old, where: place, reason } of over) {
    lines.push(`  instead of ${JSON.stringify(old)}${place ? ` at ${formatPosition(place)}` : ''}, ${reasons[reason]}`);
  }
  return lines.join('\n');
}

function variableLine({ name, value, from }: UsedVariable): string {
  if (value === undefined) return `  ${name} is not set`;
  const origin =
    from === 'environment'
      ? 'from the environment'
      : from === 'project name'
        ? 'the name of the project'
        : typeof from === 'string'
          ? `not set, ${from}`
          : `from ${formatPosition(from)}`;
  return `  ${name} = ${JSON.stringify(value)}, ${origin}`;
}
