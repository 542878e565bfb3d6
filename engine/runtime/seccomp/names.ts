/** The words of a seccomp profile and their numbers. Source: runtime-spec config-linux.md "Seccomp", linux/seccomp.h, seccomp(2). */
import { release } from 'node:os';
import { StackError } from '../../../schemas/errors.ts';
import type { SeccompAction, SeccompFlag, SeccompOperator } from '../../../schemas/oci-runtime.ts';

/** SECCOMP_RET_*. SCMP_ACT_KILL is the older name of SCMP_ACT_KILL_THREAD. */
export const actions: Record<SeccompAction, number> = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};

/** Actions whose value carries an errno or, for TRACE, a number for the tracer. */
export const carriesErrno = (action: SeccompAction) => action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';

export const operators: SeccompOperator[] = [
  ...(['SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT'] as const),
  'SCMP_CMP_MASKED_EQ',
];

/** SECCOMP_FILTER_FLAG_*, and the Linux each came with. */
const flags: Record<SeccompFlag, { bit: number; since: [major: number, minor: number] }> = {
  SECCOMP_FILTER_FLAG_TSYNC: { bit: 1, since: [3, 17] },
  SECCOMP_FILTER_FLAG_LOG: { bit: 2, since: [4, 14] },
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: { bit: 4, since: [4, 17] },
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: { bit: 32, since: [5, 19] },
};
const newListener = 8;
const tsyncEsrch = 16;

export const flagNames = Object.keys(flags) as SeccompFlag[];

/** Names of libseccomp's seccomp.h that the specification lists. */
export const architectureNames = [
  ...['X86', 'X86_64', 'X32', 'ARM', 'AARCH64', 'LOONGARCH64', 'M68K', 'MIPS', 'MIPS64', 'MIPS64N32', 'MIPSEL'],
  ...['MIPSEL64', 'MIPSEL64N32', 'PPC', 'PPC64', 'PPC64LE', 'S390', 'S390X', 'SH', 'SHEB', 'PARISC', 'PARISC64'],
  'RISCV64',
].map((name) => `SCMP_ARCH_${name}`);

/** Those of the flags that a kernel of this release (uname(2)) knows. */
export function supportedFlags(kernel = release()): SeccompFlag[] {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  return flagNames.filter((name) => {
    const [sinceMajor, sinceMinor] = flags[name].since;
    return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
  });
}

/**
 * The `flags` argument of seccomp(2).
 * @param isNotifying the filter has SCMP_ACT_NOTIFY: the call is to give a listener, and WAIT_KILLABLE_RECV, which the
 * kernel refuses without one, means something.
 * @throws config.value for a flag that does not exist, host.kernel-feature for one this kernel has not.
 */
export function filterFlags(names: readonly SeccompFlag[], isNotifying: boolean, kernel = release()): number {
  const supported = supportedFlags(kernel);
  let bits = isNotifying ? newListener : 0;
  for (const name of names) {
    if (!Object.hasOwn(flags, name)) {
      throw new StackError('config.value', {
        message: `linux.seccomp.flags: "${name}" is not a seccomp flag`,
        hint: `The flags are ${flagNames.join(', ')}.`,
        resource: 'linux.seccomp.flags',
      });
    }
    if (!supported.includes(name)) {
      throw new StackError('host.kernel-feature', {
        message: `linux.seccomp.flags: ${name} needs Linux ${flags[name].since.join('.')}; this is ${kernel}`,
        hint: 'Remove the flag from the profile, or use a newer kernel.',
        resource: 'linux.seccomp.flags',
        operation: 'seccomp',
      });
    }
    if (name === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV' && !isNotifying) continue;
    bits |= flags[name].bit;
  }
  // seccomp(2): both results in one number would be ambiguous, so that with a listener a failing thread is an error.
  return isNotifying && bits & 1 ? bits | tsyncEsrch : bits;
}
