/** What a schema found wrong with a file that a command wrote, in one line. */
import type { $ZodIssue } from 'zod/v4/core';

/** `options.scale: it must be a number`. */
export function issueText(issue: $ZodIssue): string {
  const path = issue.path.map(String).join('.') || 'the whole';
  switch (issue.code) {
    case 'unrecognized_keys':
      return `${path}: it has ${issue.keys.join(', ')}, which nothing knows`;
    case 'invalid_type':
      return `${path}: it must be ${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
    case 'invalid_value':
      return `${path}: it must be ${issue.values.join(' or ')}`;
    default:
      return `${path}: ${issue.message}`;
  }
}
