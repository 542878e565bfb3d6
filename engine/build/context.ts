/** The main context of a build: a directory, a git repository, or a file at an address. Source: docker's build contexts, "Remote context". */
import { parseGitAddress } from '../../planner/dockerfile/graph/git.ts';
import { withoutPasswords } from '../../planner/dockerfile/redact.ts';
import type { GitOperation, HttpOperation } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import { isFetched } from './request.ts';

/** Undefined for a directory. @throws StackError for any other address */
export function remoteContext(context: string): GitOperation | HttpOperation | undefined {
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
  if (isAddress(context)) return fileAt(context);
  throw new StackError('build.not-supported', {
    message: withoutPasswords(
      `The build context ${context} is no directory, no git repository and no address of an archive or Dockerfile.`,
    ),
    hint: context.startsWith('oci-layout://')
      ? 'Name the layout in `additional_contexts`, and build on it with FROM or COPY --from.'
      : 'A git address ends with .git before its #ref:directory; archives and Dockerfiles are fetched by http and https.',
  });
}

export const isAddress = (text: string) => /^https?:\/\//.test(text);

/** A file by its address: an archive, or a Dockerfile alone. */
export const fileAt = (url: string): HttpOperation => ({ kind: 'source.http', url, filename: 'context' });
