/** Dockerfiles and ignore files as they are read. */
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { createIgnoreMatcher, ignoreFileNames, readIgnoreFile } from '../../planner/dockerfile/ignore/ignore.ts';
import { parseDockerfile } from '../../planner/dockerfile/parse.ts';
import { withoutPasswords } from '../../planner/dockerfile/redact.ts';
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

export function localDockerfile(request: BuildRequest): DockerfileText {
  const { inline } = request;
  return { text: localText(request), file: inline === undefined ? pathOf(request) : 'dockerfile_inline' };
}

const pathOf = ({ context, dockerfile }: BuildRequest): string =>
  isAbsolute(dockerfile) ? dockerfile : join(context, dockerfile);

/** Of a local Dockerfile, or of one in the stack file. @throws StackError build.dockerfile */
export function localText(request: BuildRequest): string {
  const { context, inline } = request;
  const path = pathOf(request);
  try {
    return inline ?? readText(path);
  } catch (thrown) {
    const isThere = existsSync(context);
    throw new StackError('build.dockerfile', {
      message: isThere
        ? `The Dockerfile ${path} cannot be read: ${(thrown as NodeJS.ErrnoException).code}.`
        : `The build context ${context} does not exist.`,
      hint: isThere ? 'Check `build.dockerfile` in the stack file.' : 'Check `build.context` in the stack file.',
    });
  }
}

/** Of a regular file: a fifo would be waited for for ever, and a device has no end. */
function readText(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) throw Object.assign(new Error(), { code: 'it is no file' });
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** Of a repository a stranger may have made: links in it lead nowhere else, as errors would show what they lead to. */
export function fetchedDockerfile(
  verbs: FilesystemVerbs,
  directory: string,
  { context, dockerfile }: BuildRequest,
): DockerfileText {
  const failed = (why: string) =>
    new StackError('build.dockerfile', {
      message: withoutPasswords(`The Dockerfile ${dockerfile} of ${context} cannot be read: ${why}.`),
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

function readIgnore(path: string): string {
  try {
    return readText(path);
  } catch (thrown) {
    throw new StackError('build.context', {
      message: `${path} cannot be read: ${(thrown as NodeJS.ErrnoException).code}.`,
      hint: 'Without it everything would be in the build context. Make it a readable file, or remove it.',
    });
  }
}

export function ignoreLines(context: string, dockerfile: string): string[] {
  for (const name of ignoreFileNames(dockerfile)) {
    const path = isAbsolute(name) ? name : join(context, name);
    if (!existsSync(path)) continue;
    const lines = readIgnoreFile(readIgnore(path));
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
