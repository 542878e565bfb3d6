/** Namespaces and what depends on them. Source: runtime-spec config-linux.md "Namespaces" to "Offset for Time Namespace". */
import { mappingProblems } from './mappings.ts';
import { namespaceOf, type Rule } from './rule.ts';

const duplicates: Rule = {
  reads: ['linux.namespaces'],
  check({ linux }, findings) {
    const seen = new Set<string>();
    for (const [at, { type }] of (linux?.namespaces ?? []).entries()) {
      if (seen.has(type)) findings.refuse(`linux.namespaces[${at}].type`, `repeats ${type}`);
      seen.add(type);
    }
  },
};

const users: Rule = {
  reads: ['linux.namespaces', 'linux.uidMappings', 'linux.gidMappings'],
  check(spec, findings) {
    const namespace = namespaceOf(spec, 'user');
    for (const name of ['uidMappings', 'gidMappings'] as const) {
      const mappings = spec.linux?.[name];
      const path = `linux.${name}`;
      if (mappings && mappings.length > 0 && !namespace) {
        findings.refuse(path, 'needs a user namespace in linux.namespaces');
      } else if (namespace && namespace.path === undefined && !mappings?.length) {
        findings.refuse(path, 'is missing: a new user namespace needs it');
      }
      mappingProblems(mappings, path, findings);
    }
  },
};

/** sethostname(2), setdomainname(2): __NEW_UTS_LEN. */
const longestName = 64;

const names: Rule = {
  reads: ['linux.namespaces', 'hostname', 'domainname'],
  check(spec, findings) {
    for (const name of ['hostname', 'domainname'] as const) {
      const value = spec[name];
      if (!value) continue;
      if (!namespaceOf(spec, 'uts')) {
        findings.refuse(name, 'needs a uts namespace in linux.namespaces: it would rename the host');
      }
      if (Buffer.byteLength(value) > longestName) findings.refuse(name, `must not exceed ${longestName} bytes`);
    }
  },
};

const clocks: Rule = {
  reads: ['linux.namespaces', 'linux.timeOffsets'],
  check(spec, findings) {
    const offsets = Object.entries(spec.linux?.timeOffsets ?? {});
    if (offsets.length === 0) return;
    const namespace = namespaceOf(spec, 'time');
    // time_namespaces(7): offsets can be written before the first process has entered, and not thereafter.
    if (!namespace || namespace.path !== undefined) {
      findings.refuse('linux.timeOffsets', 'needs a new time namespace in linux.namespaces');
    }
    for (const clock of ['boottime', 'monotonic'] as const) {
      const nanoseconds = spec.linux?.timeOffsets?.[clock]?.nanosecs ?? 0;
      if (nanoseconds > 999_999_999) findings.refuse(`linux.timeOffsets.${clock}.nanosecs`, 'must be below 1000000000');
    }
  },
};

export const namespaceRules: Rule[] = [duplicates, users, names, clocks];
