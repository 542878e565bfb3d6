/** Dockerfiles and ignore files as they are read. */
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { createIgnoreMatcher, ignoreFileNames, readIgnoreFile } from '../../planner/dockerfile/ignore/ignore.ts';
import { parseDockerfile } from '../../planner/dockerfile/parse.ts';
import type { Dockerfile } from '../../schemas/dockerfile.ts';
import { type Result, StackError } from '../../schemas/errors.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import type { BuildRequest } from './builds.ts';

const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;

export interface DockerfileText {
  text: string;
  /** As positions name it. */
  file: string;
}

export const parsed = ({ text, file }: DockerfileText): Dockerfile => unwrap(parseDockerfile(text, file), () => {});

export function localDockerfile({ context, dockerfile, inline }: BuildRequest): DockerfileText {
  const path = isAbsolute(dockerfile) ? dockerfile : join(context, dockerfile);
  let text = inline;
  try {
    text ??= readFileSync(path, 'utf8');
  } catch (thrown) {
    const isThere = existsSync(context);
    throw new StackError('build.dockerfile', {
      message: isThere
        ? `The Dockerfile ${path} cannot be read: ${(thrown as NodeJS.ErrnoException).code}.`
        : `The build context ${context} does not exist.`,
      hint: isThere ? 'Check `build.dockerfile` in the stack file.' : 'Check `build.context` in the stack file.',
    });
  }
  return { text, file: inline === undefined ? path : 'dockerfile_inline' };
}

/** Of a repository a stranger may have made: links in it lead nowhere else, as errors would show what they lead to. */
export function fetchedDockerfile(
  verbs: FilesystemVerbs,
  directory: string,
  { context, dockerfile }: BuildRequest,
): DockerfileText {
  const failed = (why: string) =>
    new StackError('build.dockerfile', {
      message: `The Dockerfile ${dockerfile} of ${context} cannot be read: ${why}.`,
      hint: 'Check `build.dockerfile`, and the ref and directory behind the # of `build.context`.',
    });
  const root = openSync(directory, constants.O_DIRECTORY);
  let fd: number | undefined;
  try {
    const { O_RDONLY, O_NONBLOCK } = constants;
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    fd = verbs.openat2(root, dockerfile, { flags: O_RDONLY | O_NONBLOCK, resolve });
    if (!fstatSync(fd).isFile()) throw failed('it is no file');
    return { text: readFileSync(fd, 'utf8'), file: dockerfile };
  } catch (thrown) {
    if (thrown instanceof StackError) throw thrown;
    throw failed((thrown as NodeJS.ErrnoException).code ?? 'unknown');
  } finally {
    if (fd !== undefined) closeSync(fd);
    closeSync(root);
  }
}

export function ignoreLines(context: string, dockerfile: string): string[] {
  for (const name of ignoreFileNames(dockerfile)) {
    const path = isAbsolute(name) ? name : join(context, name);
    if (!existsSync(path)) continue;
    const lines = readIgnoreFile(readFileSync(path, 'utf8'));
    const [malformed] = createIgnoreMatcher(lines).malformed;
    if (malformed === undefined) return lines;
    throw new StackError('build.context', {
      message: `${path}: ${malformed} is no pattern.`,
      hint: 'A [ opens a class of characters, which a ] closes; write \\[ for the character itself.',
    });
  }
  return [];
}

/** @throws the first error with all others beside it */
export function unwrap<T>(result: Result<T>, warn: (error: StackError) => void): T {
  result.warnings.forEach(warn);
  if (result.ok) return result.value;
  const [first, ...rest] = result.errors;
  first!.also.push(...rest);
  throw first!;
}
