/** What the shim reports of a step that failed, as an error a user can act on. The words runc's callers look for are in it. */
import { StackError } from '../../../schemas/errors.ts';
import type { ShimFailure } from '../control.ts';

export function setUpError(id: string, { step, errno, subject }: ShimFailure): StackError {
  const fields = { resource: `container ${id}`, operation: subject ? `${step} ${subject}` : step, errno };
  if (step === 'exec') return execError(subject, errno, fields);
  if (step === 'hook') {
    return new StackError('runtime.hook', {
      ...fields,
      message: `A hook of ${id} failed: ${subject}.`,
      hint: 'Hooks are programs named in config.json; run this one by hand with the state on stdin to see why.',
    });
  }
  if (errno === 'ENOSYS' || errno === 'EOPNOTSUPP' || (errno === 'ENODEV' && step === 'mount')) {
    return new StackError('host.kernel-feature', {
      ...fields,
      message: `This kernel has no ${step}${subject ? ` for ${subject}` : ''}: ${errno}.`,
      hint: 'Take it out of config.json, or use a kernel that has it.',
    });
  }
  return new StackError('runtime.step', {
    ...fields,
    message: `${step}${subject ? ` ${subject}` : ''}: ${words[errno] ?? errno}.`,
    hint: hintOf(step, errno),
  });
}

function execError(command: string, errno: string, fields: object): StackError {
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    const isPath = command.includes('/');
    return new StackError('runtime.not-found', {
      ...fields,
      message: `exec "${command}": ${isPath ? 'no such file or directory' : 'executable file not found in $PATH'}.`,
      hint: 'Check process.args; a script also needs the interpreter of its first line in the root.',
      exitCode: 127,
    });
  }
  return new StackError('runtime.not-executable', {
    ...fields,
    message: `exec "${command}": ${words[errno] ?? errno}.`,
    hint: 'Make it executable (chmod +x), and of this machine’s architecture.',
    exitCode: 126,
  });
}

/** A step that failed, and was not needed. */
export const warningText = ({ step, errno, subject }: ShimFailure): string => `${step} ${subject}: ${errno}`;

const words: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  ENOEXEC: 'exec format error',
  EINVAL: 'invalid argument',
  ENOSPC: 'no space left on device',
  ELOOP: 'a symbolic link is in the way',
  ENOMEM: 'cannot allocate memory',
};

const hintOf = (step: string, errno: string): string =>
  errno === 'ELOOP' && step === 'mount'
    ? 'proc and sysfs are mounted through no symbolic link of the image; on other mounts, the links of this path lead in a circle.'
    : (hints[errno] ?? 'The step is what the kernel refused.');

const hints: Record<string, string> = {
  EPERM: 'It needs rights that this process or the container’s user namespace has not.',
  ENOENT: 'Check that what config.json names exists on this machine.',
  ELOOP: 'Symbolic links on this path lead in a circle, or one is where none may be.',
  EINVAL: 'Check the value against what this kernel takes.',
};
