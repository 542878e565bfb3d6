/** `tmpfs` of a service: `/target[:option,option…]`. Source: compose-spec 05-services.md "tmpfs", tmpfs(5). */
import type { ResolvedMount } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';

const flags = new Set([
  ...['ro', 'rw', 'suid', 'nosuid', 'dev', 'nodev', 'exec', 'noexec', 'sync', 'async', 'dirsync', 'atime', 'noatime'],
  ...['diratime', 'nodiratime', 'relatime', 'norelatime', 'strictatime', 'nostrictatime', 'defaults'],
  ...['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable', 'remount'],
]);
const settings = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol', 'huge']);

/** @throws config.value for an option tmpfs does not have. */
export function parseTmpfs(text: string, resource: string): Extract<ResolvedMount, { type: 'tmpfs' }> {
  const at = text.indexOf(':');
  const target = at < 0 ? text : text.slice(0, at);
  const options =
    at < 0
      ? []
      : text
          .slice(at + 1)
          .split(',')
          .filter(Boolean);
  for (const option of options) {
    const [name = '', value] = option.split(/=(.*)/s);
    if (value === undefined ? flags.has(name) : settings.has(name)) continue;
    throw new StackError('config.value', {
      message: `${resource}: "${option}" is not an option of tmpfs`,
      hint: 'Options are listed in tmpfs(5) and mount(8): size=64m, mode=1777, uid=1000, exec, ro.',
      resource,
    });
  }
  return { type: 'tmpfs', target, readOnly: options.includes('ro'), ...(options.length > 0 ? { options } : {}) };
}
