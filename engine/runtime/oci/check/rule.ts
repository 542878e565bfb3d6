/** A rule between properties, beyond the shape of each. */
import type { NamespaceType, RuntimeSpec } from '../../../../schemas/oci-runtime.ts';
import type { Findings } from './findings.ts';

export interface Rule {
  /** Paths of what it looks at: the rule is passed over where one of them has a wrong shape already. */
  reads: string[];
  /** @param bundle absolute path of the bundle; '' where the document is not in one. */
  check(spec: RuntimeSpec, findings: Findings, bundle: string): void;
}

export function apply(rules: readonly Rule[], spec: RuntimeSpec, findings: Findings, bundle: string): void {
  // Decided beforehand: what one rule finds must not silence the next.
  const due = findings.isClean ? rules : rules.filter(({ reads }) => !reads.some((path) => findings.isDamaged(path)));
  for (const rule of due) rule.check(spec, findings, bundle);
}

/** The entry of linux.namespaces, made or joined; undefined where the container stays in the caller's. */
export const namespaceOf = (spec: RuntimeSpec, type: NamespaceType) =>
  spec.linux?.namespaces?.find((one) => one.type === type);

/** setresuid(2) and chown(2) take it for "leave as it is", which would leave the container with root's. */
export const invalidId = 0xffff_ffff;
