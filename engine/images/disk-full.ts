/** A full disk, in words. */
import { asStackError, type StackError } from '../../schemas/errors.ts';

/** The error for what a file operation threw: where the disk is full, that; anything else is the store's. */
export function asStoreError(thrown: unknown, doing: string): StackError {
  const { code } = thrown as NodeJS.ErrnoException;
  const isNamed = isFull(code);
  return asStackError(thrown, isNamed ? 'host.disk-full' : 'image.store', {
    message: isNamed ? `No space left on the disk while ${doing}.` : `${doing}: ${(thrown as Error).message}.`,
    hint: isNamed ? '`stack gc --keep SIZE` removes unused images; STACK_ROOT moves the store.' : undefined,
    errno: code,
    cause: thrown,
  });
}

/** Whether an error number means that no space is left. */
export function isFull(errno: string | undefined): boolean {
  return errno === 'ENOSPC' || errno === 'EDQUOT';
}
