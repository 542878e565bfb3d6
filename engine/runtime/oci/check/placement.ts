/** The rest of config-linux.md: cgroupsPath, memory policy, RDT, personality. Source also set_mempolicy(2), personality(2). */
import { shown } from './findings.ts';
import { listProblem } from './numbers.ts';
import type { Rule } from './rule.ts';

const cgroupsPath: Rule = {
  reads: ['linux.cgroupsPath'],
  check({ linux }, findings) {
    const path = linux?.cgroupsPath ?? '';
    if (path.split('/').includes('..')) findings.refuse('linux.cgroupsPath', `must not contain "..": ${shown(path)}`);
  },
};

/** set_mempolicy(2): these take no nodes; these need some. */
const withoutNodes = ['MPOL_DEFAULT', 'MPOL_LOCAL'];
const withNodes = ['MPOL_BIND', 'MPOL_INTERLEAVE', 'MPOL_WEIGHTED_INTERLEAVE', 'MPOL_PREFERRED_MANY'];

const memoryPolicy: Rule = {
  reads: ['linux.memoryPolicy'],
  check({ linux }, findings) {
    const given = linux?.memoryPolicy;
    if (!given) return;
    const at = 'linux.memoryPolicy';
    const { mode, nodes = '', flags = [] } = given;
    const problem = listProblem(nodes);
    const hasNodes = nodes.trim() !== '';
    if (problem) findings.refuse(`${at}.nodes`, problem);
    if (hasNodes && withoutNodes.includes(mode)) findings.refuse(`${at}.nodes`, `must not be set for ${mode}`);
    if (!hasNodes && withNodes.includes(mode)) findings.refuse(`${at}.nodes`, `is missing: ${mode} needs nodes`);
    const isStatic = flags.includes('MPOL_F_STATIC_NODES');
    const isRelative = flags.includes('MPOL_F_RELATIVE_NODES');
    if (isStatic && isRelative) {
      findings.refuse(`${at}.flags`, 'must not have both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES');
    } else if ((isStatic || isRelative) && !hasNodes) {
      findings.refuse(`${at}.flags`, `${isStatic ? 'MPOL_F_STATIC_NODES' : 'MPOL_F_RELATIVE_NODES'} needs nodes`);
    }
    if (flags.includes('MPOL_F_NUMA_BALANCING') && mode !== 'MPOL_BIND' && mode !== 'MPOL_PREFERRED_MANY') {
      findings.refuse(`${at}.flags`, 'MPOL_F_NUMA_BALANCING needs MPOL_BIND or MPOL_PREFERRED_MANY');
    }
  },
};

const intelRdt: Rule = {
  reads: ['linux.intelRdt'],
  check({ linux }, findings) {
    const given = linux?.intelRdt;
    if (!given) return;
    const at = 'linux.intelRdt';
    const { closID, schemata = [], l3CacheSchema } = given;
    // A directory of resctrl; "/" alone is its root.
    if (closID !== undefined && closID !== '/' && (/[/\n]/.test(closID) || /^\.{0,2}$/.test(closID))) {
      findings.refuse(`${at}.closID`, `must be "/" or the name of a class of service: ${shown(closID)}`);
    }
    for (const [index, line] of schemata.entries()) {
      if (line.includes('\n')) findings.refuse(`${at}.schemata[${index}]`, 'must be one line');
    }
    if (l3CacheSchema?.includes('\n')) findings.refuse(`${at}.l3CacheSchema`, 'must be one line');
    else if (l3CacheSchema && !l3CacheSchema.startsWith('L3')) {
      findings.warn(`${at}.l3CacheSchema`, `does not start with L3: ${shown(l3CacheSchema)}`);
    }
  },
};

const personality: Rule = {
  reads: ['linux.personality'],
  check({ linux }, findings) {
    const [flag] = linux?.personality?.flags ?? [];
    if (flag !== undefined)
      findings.refuse('linux.personality.flags', `must be empty, no flag is defined: ${shown(flag)}`);
  },
};

export const placementRules: Rule[] = [cgroupsPath, memoryPolicy, intelRdt, personality];
