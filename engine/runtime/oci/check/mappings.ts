/** Ranges of user and group ids. Source: user_namespaces(7) "User and group ID mappings". */
import type { IdMapping } from '../../../../schemas/oci-runtime.ts';
import type { Findings } from './findings.ts';

/** user_namespaces(7): lines of a uid_map, since Linux 4.15. */
const mostLines = 340;
/** One more than the largest id; 4294967295 is none. */
const end = 0xffff_ffff;

/** Reports what the kernel would refuse as a bare EINVAL. */
export function mappingProblems(mappings: IdMapping[] | undefined, path: string, findings: Findings): void {
  if (!mappings) return;
  if (mappings.length > mostLines) {
    findings.refuse(path, `has ${mappings.length} entries, the kernel takes ${mostLines}`);
    return;
  }
  for (const [at, one] of mappings.entries()) {
    if (one.size === 0) findings.refuse(`${path}[${at}].size`, 'must be greater than zero');
    for (const side of ['containerID', 'hostID'] as const) {
      if (one[side] + one.size > end)
        findings.refuse(`${path}[${at}].${side}`, 'runs beyond the largest id, 4294967294');
      const other = mappings.findIndex(
        (earlier, index) =>
          index < at && one[side] < earlier[side] + earlier.size && earlier[side] < one[side] + one.size,
      );
      if (other >= 0) findings.refuse(`${path}[${at}].${side}`, `overlaps entry ${other}`);
    }
  }
}
