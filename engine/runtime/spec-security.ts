/** `security_opt`, as docker reads it: `key`, `key=value` or the older `key:value`. */
import { StackError } from '../../schemas/errors.ts';

export interface SecurityOptions {
  hasNoNewPrivileges: boolean;
  /** `systempaths=unconfined`: nothing of /proc and /sys is hidden or read-only. */
  hasOpenSystemPaths: boolean;
  seccomp: 'default' | 'unconfined';
}

/** @throws config.value for an option docker does not know, config.not-supported for what we cannot apply. */
export function securityOptions(options: string[], resource: string): SecurityOptions {
  const result: SecurityOptions = { hasNoNewPrivileges: false, hasOpenSystemPaths: false, seccomp: 'default' };
  for (const option of options) {
    const [, key = '', value = ''] = /^([^=:]+)(?:[=:](.*))?$/s.exec(option) ?? [];
    const where = `${resource}.security_opt`;
    if (key === 'no-new-privileges' && ['', 'true', 'false'].includes(value)) {
      result.hasNoNewPrivileges = value !== 'false';
    } else if (key === 'systempaths' && value === 'unconfined') {
      result.hasOpenSystemPaths = true;
    } else if (key === 'seccomp' && (value === 'unconfined' || value === 'builtin')) {
      result.seccomp = value === 'unconfined' ? 'unconfined' : 'default';
    } else if ((key === 'apparmor' && value === 'unconfined') || (key === 'label' && value === 'disable')) {
      // Nothing is labelled or confined by a profile unless that is asked for.
    } else if (key === 'seccomp' || key === 'label' || key === 'apparmor') {
      throw new StackError('config.not-supported', {
        message: `not supported yet: ${where} "${option}"`,
        hint: 'Remove it. Of seccomp, apparmor and label only the forms that turn them off are there: seccomp=unconfined.',
        resource: where,
      });
    } else {
      throw new StackError('config.value', {
        message: `${where}: "${option}" is not a security option`,
        hint: 'Known are no-new-privileges, seccomp, apparmor, label and systempaths.',
        resource: where,
      });
    }
  }
  return result;
}
