/** What cannot be watched or read, in words that name the fix. */
import { StackError } from '../../schemas/errors.ts';

/** Of inotify_add_watch(2), inotify_init1(2) and readdir(3). */
export function watchProblem(error: Error, path: string): StackError {
  const errno = (error as NodeJS.ErrnoException).code ?? '';
  const fields = { resource: path, operation: 'watch', errno, cause: error };
  switch (errno) {
    case 'ENOSPC':
      return new StackError('host.watch', {
        message: `${path} cannot be watched: this user's inotify watches are used up, changes below it are not seen`,
        hint: 'Raise the limit, `sysctl fs.inotify.max_user_watches=1048576`, or leave directories out by `ignore` or .dockerignore.',
        ...fields,
      });
    case 'EMFILE':
      return new StackError('host.watch', {
        message: `${path} cannot be watched: this user's inotify instances are used up`,
        hint: 'Raise the limit, `sysctl fs.inotify.max_user_instances=1024`, or end other programs that watch files.',
        ...fields,
      });
    case 'EACCES':
    case 'EPERM':
      return new StackError('host.watch', {
        message: `${path} cannot be read: changes below it are not seen`,
        hint: 'Make it readable with chmod, or leave it out by `ignore` or .dockerignore.',
        ...fields,
      });
    default:
      return new StackError('host.watch', {
        message: `${path} cannot be watched: ${error.message}`,
        hint: 'Changes below it are not seen; leave it out by `ignore` where they need not be.',
        ...fields,
      });
  }
}
