/** System call filters: the default policy, and any linux.seccomp compiled to what seccomp(2) takes. */
import type { Seccomp } from '../../../schemas/oci-runtime.ts';
import { nativeArchitectures } from './architectures.ts';
import { compile, type SeccompProgram } from './compile.ts';
import { defaultPolicy } from './policy.ts';

export type { SeccompProgram } from './compile.ts';

const policies = new Map<string, Seccomp>();
const programs = new WeakMap<Seccomp, SeccompProgram>();

/** linux.seccomp of a container with these capabilities. One and the same object for one and the same set. */
export function defaultSeccomp(capabilities: string[]): Seccomp {
  const key = capabilities.join();
  let policy = policies.get(key);
  if (!policy) {
    policy = defaultPolicy(capabilities, nativeArchitectures());
    policies.set(key, policy);
  }
  return policy;
}

/** The filter for seccomp(2); compiled once for each profile object. */
export function compileSeccomp(profile: Seccomp): SeccompProgram {
  let program = programs.get(profile);
  if (!program) {
    program = compile(profile);
    programs.set(profile, program);
  }
  return program;
}
