/** The main context of a build: a directory, or a git repository. Source: docker's build contexts, "Remote context". */
import { parseGitAddress } from '../../planner/dockerfile/graph/git.ts';
import { withoutPasswords } from '../../planner/dockerfile/redact.ts';
import type { GitOperation } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import { isFetched } from './request.ts';

/** Undefined for a directory. @throws StackError for any other address */
export function gitContext(context: string): GitOperation | undefined {
  if (!isFetched(context)) return undefined;
  let git: GitOperation | undefined;
  try {
    git = parseGitAddress(context.replace(/^github\.com\/([^#?]*?)(?:\.git)?(?=[#?]|$)/, 'https://github.com/$1.git'));
  } catch (thrown) {
    throw new StackError('build.context', {
      message: withoutPasswords(`The build context ${context}: ${(thrown as Error).message}.`),
      hint: 'A git address is https://host/repository.git#ref:directory.',
    });
  }
  if (git) return git;
  throw new StackError('build.not-supported', {
    message: withoutPasswords(`The build context ${context} is no directory and no git address.`),
    hint: context.startsWith('oci-layout://')
      ? 'Name the layout in `additional_contexts`, and build on it with FROM or COPY --from.'
      : 'A git address ends with .git before its #ref:directory. Fetch anything else, and name the directory.',
  });
}
