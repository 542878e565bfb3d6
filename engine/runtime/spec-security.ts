/** `security_opt`, as docker reads it: `key`, `key=value` or the older `key:value`. */
import { StackError } from '../../schemas/errors.ts';
import { type LabelOptions, readLabelOption } from '../security/selinux.ts';

export interface SecurityOptions {
  hasNoNewPrivileges: boolean;
  /** `systempaths=unconfined`: nothing of /proc and /sys is hidden or read-only. */
  hasOpenSystemPaths: boolean;
  seccomp: 'default' | 'unconfined' | { file: string };
  /** Name of a profile, or `unconfined`; undefined: the default profile. */
  apparmor: string | undefined;
  /** SELinux. */
  label: LabelOptions;
}

/** @throws config.value for an option docker does not know. */
export function securityOptions(options: string[], resource: string): SecurityOptions {
  const where = `${resource}.security_opt`;
  const result: SecurityOptions = {
    hasNoNewPrivileges: false,
    hasOpenSystemPaths: false,
    seccomp: 'default',
    apparmor: undefined,
    label: {},
  };
  for (const option of options) {
    const [, key = '', value = ''] = /^([^=:]+)(?:[=:](.*))?$/s.exec(option) ?? [];
    if (key === 'no-new-privileges' && ['', 'true', 'false'].includes(value)) {
      result.hasNoNewPrivileges = value !== 'false';
    } else if (key === 'systempaths' && value === 'unconfined') {
      result.hasOpenSystemPaths = true;
    } else if (key === 'seccomp' && value !== '') {
      result.seccomp = value === 'unconfined' ? value : value === 'builtin' ? 'default' : { file: value };
    } else if (key === 'apparmor' && value !== '') {
      result.apparmor = value;
    } else if (key === 'label') {
      result.label = readLabelOption(value, result.label, where);
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
