/** What a set of changes asks of one service: the cheapest action that is enough for all of them. Pure. */
import type { ServiceHook } from '../../schemas/project.ts';
import type { WatchChange, WatchRule } from '../../schemas/watch.ts';
import { below, type WatchMatcher } from './matcher.ts';

/** What happens behind the copying, from cheap to dear; each makes those before it needless. */
export const afterwards = ['nothing', 'exec', 'restart', 'rebuild'] as const;
export type Afterwards = (typeof afterwards)[number];

export interface MatchedRule {
  rule: WatchRule;
  matcher: WatchMatcher;
}

/** A path of the machine and what it is in the container. */
export interface Copy {
  rule: WatchRule;
  /** Relative to the rule's path and to its target. */
  path: string;
  change: WatchChange;
}

export interface Decision {
  copies: Copy[];
  after: Afterwards;
  /** Commands of the rules concerned, in the order of the file. */
  execs: ServiceHook[];
  /** The changes that ask for `after`; for `nothing` those that are copied. None where all of them were transient. */
  because: WatchChange[];
}

const afterOf = ({ rule: { action } }: MatchedRule): Afterwards =>
  action === 'rebuild'
    ? 'rebuild'
    : action.endsWith('restart')
      ? 'restart'
      : action === 'sync+exec'
        ? 'exec'
        : 'nothing';

/** `rules` are those of one service. Undefined where none of the changes concerns it. */
export function decide(rules: MatchedRule[], changes: WatchChange[]): Decision | undefined {
  const copies = new Map<string, Copy>();
  const reasons = new Map<Afterwards, Set<WatchChange>>();
  const execs = new Set<MatchedRule>();
  for (const change of changes) {
    for (const one of rules) {
      if (!one.matcher.takes(change.path)) continue;
      const { rule } = one;
      const path = below(rule.path, change.path)!;
      const after = afterOf(one);
      // Rules whose paths and targets correspond name one place of the container: it is copied once.
      if (rule.target !== undefined) copies.set(`${rule.target}/${path}`.replace(/\/+$/, ''), { rule, path, change });
      if (change.isTransient) continue;
      if (after === 'exec') execs.add(one);
      reasons.set(after, (reasons.get(after) ?? new Set()).add(change));
    }
  }
  if (reasons.size === 0 && copies.size === 0) return undefined;
  const after = afterwards.findLast((one) => reasons.has(one)) ?? 'nothing';
  return {
    copies: [...copies.values()],
    after,
    execs: rules.filter((one) => after === 'exec' && execs.has(one) && one.rule.exec).map(({ rule }) => rule.exec!),
    because: [...(reasons.get(after) ?? [])],
  };
}

export const dearer = (a: Afterwards, b: Afterwards): Afterwards =>
  afterwards.indexOf(a) > afterwards.indexOf(b) ? a : b;
