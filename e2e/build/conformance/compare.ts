/** Docker's recorded outcome beside ours: one line for each difference. */
import type { Case, Facts } from './case.ts';

/**
 * What docker's steps leave behind in every image, and ours do not: the mount points that its runtime made, and the time of
 * /etc, where a resolv.conf lay while the step ran. Ours is right: no step of the Dockerfile did that.
 */
const leftovers: Record<string, RegExp> = {
  '/proc': /^directory 0755 0:0$/,
  '/sys': /^directory 0755 0:0$/,
  '/dev': /^directory 0755 0:0$/,
  '/etc': /^directory 0755 0:0$/,
};

/** @param ours undefined where the case was refused. Empty where both are the same. */
export function differences(one: Case, docker: Facts | 'fails', ours: Facts | 'fails'): string[] {
  const expected = expectedOf(one, docker);
  if (expected === 'fails' || ours === 'fails') {
    return expected === ours ? [] : [`${expected === 'fails' ? 'must fail' : 'must be built'}`];
  }
  return [
    ...compared('config', expected.config, ours.config),
    ...compared('', withoutLeftovers(expected, ours), ours.tree),
  ];
}

function expectedOf({ differs }: Case, docker: Facts | 'fails'): Facts | 'fails' {
  if (!differs) return docker;
  if (differs.ours === 'fails' || 'tree' in differs.ours) return differs.ours;
  if (docker === 'fails') throw new Error('docker made nothing that could be other');
  const tree = Object.entries({ ...docker.tree, ...differs.ours.changed }).filter((entry) => entry[1] !== null);
  return { ...docker, tree: Object.fromEntries(tree) as Record<string, string> };
}

function withoutLeftovers({ tree }: Facts, ours: Facts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).filter(([path, text]) => path in ours.tree || !leftovers[path]?.test(text)),
  );
}

function compared(what: string, docker: Record<string, unknown>, ours: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(docker), ...Object.keys(ours)])].sort();
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return keys
    .filter((key) => text(docker[key]) !== text(ours[key]))
    .map((key) => `${what} ${key}\n    expected ${text(docker[key])}\n    ours     ${text(ours[key])}`.trim());
}
