/** System call filters: the default policy, and any linux.seccomp compiled to what seccomp(2) takes. */
import type { Seccomp } from '../../../schemas/oci-runtime.ts';
import { nativeArchitectures } from './architectures.ts';
import { compile, type SeccompProgram } from './compile.ts';
import { defaultPolicy, knownCapabilities } from './policy.ts';
import { precompiled, precompiledFor } from './precompiled.ts';

export type { SeccompProgram } from './compile.ts';

const policies = new Map<string, Seccomp>();
const programs = new WeakMap<Seccomp, SeccompProgram>();

/** linux.seccomp of a container with these capabilities. One and the same object for what comes to the same. */
export function defaultSeccomp(capabilities: string[]): Seccomp {
  const known = capabilities.filter((name) => knownCapabilities.has(name)).sort();
  let policy = policies.get(known.join());
  if (!policy) {
    policy = defaultPolicy(known, nativeArchitectures());
    policies.set(known.join(), policy);
  }
  return policy;
}

/** The filter for seccomp(2); compiled once for each profile object, and beforehand for the usual one. */
export function compileSeccomp(profile: Seccomp): SeccompProgram {
  let program = programs.get(profile);
  if (!program) {
    program = usual(profile) ?? compile(profile);
    programs.set(profile, program);
  }
  return program;
}

/** Compiling takes milliseconds, which a short `up` or `exec` would feel. */
function usual(profile: Seccomp): SeccompProgram | undefined {
  const filter = precompiled[process.arch];
  const policy = defaultSeccomp(precompiledFor);
  const isUsual = profile === policy || JSON.stringify(profile, plain) === JSON.stringify(policy);
  return filter && isUsual ? { filter: Buffer.from(filter, 'base64'), flags: 0, isNotifying: false } : undefined;
}

/** A profile with integers beyond the exact ones is not the usual one. */
const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
