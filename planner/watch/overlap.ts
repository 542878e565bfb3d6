/** Rules of a service that would copy different files to one place of the container. */
import { StackError } from '../../schemas/errors.ts';
import type { WatchRule } from '../../schemas/watch.ts';
import { cleanPath } from '../dockerfile/ignore/pattern.ts';
import { below, createWatchMatcher } from './matcher.ts';
import type { Stack, Surroundings } from './rules.ts';

/**
 * Targets may lie in each other where the paths do likewise, or where the outer rule has nothing at that place. All
 * others are refused: which of the two files the container has would depend on which was saved last.
 */
export function overlaps(stack: Stack, rules: WatchRule[], around: Surroundings): StackError[] {
  const errors: StackError[] = [];
  for (const [at, inner] of rules.entries()) {
    for (const [other, outer] of rules.entries()) {
      if (at === other || outer.target === undefined || inner.target === undefined) continue;
      const inside = below(outer.target, inner.target);
      // Of two with one target the later one is told.
      if (inside === undefined || (inside === '' && at < other)) continue;
      const there = inside === '' ? outer.path : cleanPath(`${outer.path}/${inside}`);
      if (there === inner.path || around.kind(there) === undefined || !createWatchMatcher(outer).takes(there)) continue;
      const path = (rule: WatchRule) => ['services', rule.service, 'develop', 'watch', rule.index, 'target'];
      const resource = path(inner).join('.');
      errors.push(
        new StackError('config.value', {
          message: `${resource}: ${inner.target} comes from ${inner.path}, and from ${there} by another rule`,
          hint: `Give them different targets, or add ${inside || 'one of the two'} to \`ignore\` of the other rule.`,
          where: stack.position(path(inner), 'value'),
          other: stack.position(path(outer), 'value'),
          resource,
        }),
      );
    }
  }
  return errors;
}
