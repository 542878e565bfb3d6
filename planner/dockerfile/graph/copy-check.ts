/** The check CopyIgnoredFile. */
import type { AddInstruction, CopyInstruction } from '../../../schemas/dockerfile.ts';
import { createIgnoreMatcher } from '../ignore/ignore.ts';
import { cleanPath } from '../ignore/pattern.ts';
import type { Session } from './session.ts';

/** A source that the ignore file leaves out. With exceptions in the file it cannot be told without the files. */
export function checkIgnored(
  path: string,
  { source, keyword }: CopyInstruction | AddInstruction,
  session: Session,
): void {
  if ('kind' in session.context || session.context.ignore.length === 0) return;
  const matcher = createIgnoreMatcher(session.context.ignore);
  if (matcher.patterns.some(({ exception }) => exception)) return;
  const clean = cleanPath(`/${path}`).slice(1);
  const isRootIgnored = matcher.patterns.some(({ text }) => ['*', '**', '**/*'].includes(text));
  if (clean === '' ? isRootIgnored : matcher.ignores(clean)) {
    session.checks.report('CopyIgnoredFile', source, `${keyword} of ${path}, which the ignore file leaves out.`, path);
  }
}
