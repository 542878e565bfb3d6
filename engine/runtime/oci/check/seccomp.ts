/** System call filters. Source: config-linux.md "Seccomp", seccomp(2), seccomp_unotify(2). */
import type { SeccompAction } from '../../../../schemas/oci-runtime.ts';
import { architectureNames, carriesErrno } from '../../seccomp/names.ts';
import { type Findings, shown } from './findings.ts';
import type { Rule } from './rule.ts';

/** linux/err.h MAX_ERRNO, and SECCOMP_RET_DATA of linux/seccomp.h. */
const largest: Partial<Record<SeccompAction, number>> = { SCMP_ACT_ERRNO: 4095, SCMP_ACT_TRACE: 0xffff };
/** Called between the loading of the filter and the first message of whoever listens: notified, they would wait for ever. */
const cannotNotify = ['write', 'sendmsg'];
/** unix(7): sun_path with its NUL. */
const longestSocketPath = 107;

const top = 'linux.seccomp';

const seccomp: Rule = {
  reads: [top],
  check({ linux }, findings) {
    const profile = linux?.seccomp;
    if (!profile) return;
    for (const [at, name] of (profile.architectures ?? []).entries()) {
      if (!architectureNames.includes(name)) {
        findings.refuse(`${top}.architectures[${at}]`, `is not an architecture seccomp knows: ${shown(name)}`);
      }
    }
    errno(profile.defaultAction, profile.defaultErrnoRet, `${top}.defaultErrnoRet`, findings);
    if (profile.defaultAction === 'SCMP_ACT_NOTIFY') {
      findings.refuse(`${top}.defaultAction`, 'must not be SCMP_ACT_NOTIFY: the container could not even be set up');
    }
    const rules = profile.syscalls ?? [];
    for (const [at, rule] of rules.entries()) {
      errno(rule.action, rule.errnoRet, `${top}.syscalls[${at}].errnoRet`, findings);
      const stuck = rule.action === 'SCMP_ACT_NOTIFY' && rule.names.find((name) => cannotNotify.includes(name));
      if (stuck) {
        findings.refuse(
          `${top}.syscalls[${at}]`,
          `must not notify of ${stuck}: setting the container up needs that call before anyone listens`,
        );
      }
    }
    const isNotifying = rules.some(({ action }) => action === 'SCMP_ACT_NOTIFY');
    if (isNotifying && !profile.listenerPath) {
      findings.refuse(`${top}.listenerPath`, 'is missing: SCMP_ACT_NOTIFY needs a socket to send the listener to');
    }
    if (profile.listenerMetadata && !profile.listenerPath) {
      findings.refuse(`${top}.listenerMetadata`, 'must not be set without listenerPath');
    }
    if (isNotifying && Buffer.byteLength(profile.listenerPath ?? '') > longestSocketPath) {
      findings.refuse(`${top}.listenerPath`, `must not exceed ${longestSocketPath} bytes, as no socket's path does`);
    }
    if (!isNotifying && profile.flags?.includes('SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV')) {
      findings.warn(`${top}.flags`, 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV means nothing without SCMP_ACT_NOTIFY');
    }
  },
};

function errno(action: SeccompAction, value: number | undefined, path: string, findings: Findings): void {
  if (value === undefined) return;
  if (!carriesErrno(action)) findings.refuse(path, `must not be set: ${action} returns no errno`);
  else if (value > largest[action]!)
    findings.refuse(path, `must not exceed ${largest[action]} for ${action}: ${value}`);
}

export const seccompRules: Rule[] = [seccomp];
