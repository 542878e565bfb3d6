/** What a shim reports of a failed step, as an error a user can act on. */

import type { ContainerRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { ShimFailure } from '../runtime/control.ts';
import { subpathError } from '../volumes/subpath.ts';

type Subject = Pick<ContainerRecord, 'name' | 'service'>;

/** Of what only a container that runs can be asked. */
export const notRunning = ({ name, service }: Subject): StackError =>
  new StackError('runtime.not-running', {
    message: `${name} is not running.`,
    hint: `\`stack start ${service}\` starts it.`,
    resource: `container ${name}`,
  });

export function stepError(container: Subject, { step, errno, subject }: ShimFailure): StackError {
  const fields = {
    resource: `container ${container.name}`,
    operation: subject ? `${step} ${subject}` : step,
    errno,
  };
  if (step === 'exec') return execError(container, errno, subject, fields);
  if (errno === 'ENOSPC') {
    return new StackError('host.disk-full', {
      ...fields,
      message: `${container.name}: ${step} ${subject} failed: no space left on device.`,
      hint: 'Free space, then run the command again.',
    });
  }
  if (step === 'mount target' && (errno === 'ENOTDIR' || errno === 'EISDIR')) {
    return new StackError('volume.bind-kind', {
      ...fields,
      message: `${container.name}: the mount target ${subject} passes through something that is not a directory.`,
      hint: 'Correct the target of the volume in the stack file.',
    });
  }
  if (step === 'bind' && errno === 'ENOTDIR') {
    return new StackError('volume.bind-kind', {
      ...fields,
      message: `${container.name}: cannot mount a directory on a file, or a file on a directory, at ${subject}.`,
      hint: 'Make the source of the volume the same kind as its target in the image.',
    });
  }
  if (step === 'subpath') {
    return subpathError(errno, subject, { resource: `container ${container.name}`, volume: 'it is of' });
  }
  return new StackError('runtime.step', {
    ...fields,
    message: `${container.name}: ${step}${subject ? ` ${subject}` : ''} failed: ${errno}.`,
    hint: hintFor(step, errno),
  });
}

/** A step that was done as far as this machine allows. */
export function degraded(container: Subject, { step, errno, subject }: ShimFailure): StackError {
  const isLimit = step === 'setrlimit';
  return new StackError('runtime.degraded', {
    message: isLimit
      ? `${container.name}: ${subject} cannot be raised above this machine's own limit; the container has that one.`
      : `${container.name}: ${step}: ${subject} (${errno}).`,
    hint: isLimit
      ? 'Raise the limit of the shell or service that runs Stack; raising one needs CAP_SYS_RESOURCE.'
      : undefined,
    resource: `container ${container.name}`,
    operation: step,
    errno,
  });
}

function execError(container: Subject, errno: string, command: string, fields: object): StackError {
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return new StackError('runtime.not-found', {
      ...fields,
      message: `${container.name}: command not found: ${command}.`,
      hint: 'Check the command, and `entrypoint` where it has one; a script also needs the interpreter of its first line in the image.',
      exitCode: 127,
    });
  }
  const why =
    errno === 'ENOEXEC'
      ? 'it is no program this kernel can run (wrong architecture or no #! line)'
      : 'permission denied';
  return new StackError('runtime.not-executable', {
    ...fields,
    message: `${container.name}: cannot execute ${command}: ${errno === 'EACCES' || errno === 'ENOEXEC' ? why : errno}.`,
    hint: 'Make it executable in the image (chmod +x), or run it through its interpreter.',
    exitCode: 126,
  });
}

function hintFor(step: string, errno: string): string {
  if (step === 'map the owners of') {
    return 'The file system of the source takes no idmapped mounts (mount_setattr(2)): leave `x-idmap` out, or move the source to one that does, as ext4, xfs, btrfs and tmpfs do.';
  }
  if (errno === 'ENOSYS' || errno === 'EOPNOTSUPP' || (errno === 'ENODEV' && step.startsWith('mount'))) {
    return 'This kernel lacks a feature the container needs; Linux 5.12 or newer with overlayfs is required.';
  }
  if (errno === 'EINVAL' && step.startsWith('mount overlay')) {
    return 'The file system of the state folder may not carry overlays (another overlay, NFS, FAT): set STACK_ROOT to a folder on ext4, xfs, btrfs or tmpfs.';
  }
  if (errno === 'EPERM' || errno === 'EACCES') {
    return 'Stack needs full root rights on this machine; inside another container it needs to be privileged.';
  }
  if (step === 'sysctl') return 'Check the name and value of the sysctl against this kernel.';
  if (step.startsWith('bind')) return 'Check that the source of the volume still exists.';
  return 'The step is what the kernel refused; `stack logs` shows what the container wrote before.';
}
