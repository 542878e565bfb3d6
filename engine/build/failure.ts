/** Why a build step failed, in words: its place, its last output, a full disk. */
import { statfsSync } from 'node:fs';
import type { Vertex } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';

/** How much of a failing step's output its error repeats. */
const lastLines = 20;

/** @param tail the end of what it printed. @param disk a path on the disk its files went to. */
export function exited(name: string, code: number, tail: string, disk: string): StackError {
  if (isFull(disk)) return diskFull(name);
  const lines = tail.trimEnd().split('\n').slice(-lastLines);
  const said = lines.join('') === '' ? '' : `\n${lines.map((line) => `  | ${line}`).join('\n')}`;
  return new StackError('build.step', {
    message: `${name} exited with ${code}.${said}`,
    hint:
      code === 127
        ? 'A command was not found: check its name, and PATH and SHELL of the stage.'
        : 'What it printed says why. Nothing was tagged.',
    exitCode: 1,
  });
}

/** Whether what a step writes has no room, bytes or inodes, so that its exit code says nothing else. */
function isFull(path: string): boolean {
  const { bavail, bsize, files, ffree } = statfsSync(path);
  return bavail * bsize < 64 * 1024 || (files > 0 && ffree === 0);
}

const diskFull = (name: string, cause?: unknown) =>
  new StackError('host.disk-full', {
    message: `No space left on the disk in ${name}.`,
    hint: '`stack builder prune` and `stack gc --keep SIZE` make room; STACK_ROOT moves the store. Nothing was tagged.',
    cause,
  });

/** A file of the context was written to between its digest and its copy. */
export const changedMeanwhile = ({ where, name }: Vertex) =>
  new StackError('build.context', {
    message: `The build context changed while ${name} read it: the image may have a part of the change, and the step will run again.`,
    hint: 'Build again when the files are as they are meant.',
    where: { file: where.file, line: where.start, column: 1 },
  });

/** The place in the Dockerfile, and the step. */
export function located(thrown: unknown, { where, name }: Vertex): StackError {
  const error = thrown instanceof StackError ? thrown : undefined;
  const code = (thrown as NodeJS.ErrnoException).code ?? error?.errno;
  const isSpace = code === 'ENOSPC' || code === 'EDQUOT';
  const known =
    (isSpace && error?.code !== 'host.disk-full' ? diskFull(name, thrown) : error) ??
    new StackError('build.step', { message: `${name}: ${(thrown as Error).message}.`, cause: thrown });
  if (known.where) return known;
  const { message, hint, resource, operation, errno, exitCode, also } = known;
  const place = { file: where.file, line: where.start, column: 1 };
  return new StackError(known.code, {
    message,
    hint,
    resource,
    operation,
    errno,
    exitCode,
    also,
    where: place,
    cause: thrown,
  });
}
