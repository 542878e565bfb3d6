/** The process: arguments, environment, user, capabilities, limits. Source: runtime-spec config.md "Process", capabilities(7). */
import type { Capabilities } from '../../../../schemas/oci-runtime.ts';
import { capabilityNames } from '../../capabilities.ts';
import { type Findings, shown } from './findings.ts';
import { invalidId, type Rule } from './rule.ts';

/** getrlimit(2). */
export const rlimitNames = [
  ...['RLIMIT_AS', 'RLIMIT_CORE', 'RLIMIT_CPU', 'RLIMIT_DATA', 'RLIMIT_FSIZE', 'RLIMIT_LOCKS', 'RLIMIT_MEMLOCK'],
  ...['RLIMIT_MSGQUEUE', 'RLIMIT_NICE', 'RLIMIT_NOFILE', 'RLIMIT_NPROC', 'RLIMIT_RSS', 'RLIMIT_RTPRIO'],
  ...['RLIMIT_RTTIME', 'RLIMIT_SIGPENDING', 'RLIMIT_STACK'],
];

const command: Rule = {
  reads: ['process.args', 'process.env', 'process.terminal', 'process.consoleSize'],
  check({ process }, findings) {
    if (!process) return;
    if (!process.args?.length) findings.refuse('process.args', 'must name the program to run');
    for (const [at, entry] of (process.env ?? []).entries()) {
      if (entry.indexOf('=') < 1) findings.warn(`process.env[${at}]`, `is not NAME=VALUE: ${shown(entry)}`);
    }
    const { height = 0, width = 0 } = (process.terminal ? process.consoleSize : undefined) ?? {};
    // `struct winsize` of ioctl_tty(2).
    if (height > 0xffff || width > 0xffff) findings.refuse('process.consoleSize', 'must not exceed 65535');
  },
};

const user: Rule = {
  reads: ['process.user'],
  check({ process }, findings) {
    const { uid, gid, umask = 0, additionalGids = [] } = process?.user ?? {};
    const named: [string, number | undefined][] = [
      ['uid', uid],
      ['gid', gid],
      ...additionalGids.map((one, at): [string, number] => [`additionalGids[${at}]`, one]),
    ];
    for (const [name, id] of named) {
      if (id === invalidId) findings.refuse(`process.user.${name}`, 'must not be 4294967295, which is no id');
    }
    if (umask > 0o777) findings.refuse('process.user.umask', `must not exceed 511 (octal 777): ${umask}`);
  },
};

const rlimits: Rule = {
  reads: ['process.rlimits'],
  check({ process }, findings) {
    const seen = new Set<string>();
    for (const [at, { type, soft, hard }] of (process?.rlimits ?? []).entries()) {
      const path = `process.rlimits[${at}]`;
      if (!rlimitNames.includes(type)) findings.refuse(`${path}.type`, `is not a limit Linux has: ${shown(type)}`);
      if (seen.has(type)) findings.refuse(`${path}.type`, `repeats ${type}`);
      seen.add(type);
      if (soft > hard) findings.refuse(`${path}.soft`, `exceeds the hard limit: ${soft} > ${hard}`);
    }
  },
};

const sets = ['bounding', 'permitted', 'inheritable', 'effective', 'ambient'] as const;

/** Names that cannot be given are taken out and warned about: the specification forbids to fail over them. */
const capabilities: Rule = {
  reads: ['process.capabilities'],
  check({ process }, findings) {
    const given = process?.capabilities;
    if (!given) return;
    for (const set of sets) {
      keep(given, set, findings, (name) => (capabilityNames.includes(name) ? undefined : 'no capability of that name'));
    }
    const permitted = new Set(given.permitted);
    const inheritable = new Set(given.inheritable);
    keep(given, 'effective', findings, (name) => (permitted.has(name) ? undefined : 'not among the permitted ones'));
    keep(given, 'ambient', findings, (name) =>
      permitted.has(name) && inheritable.has(name) ? undefined : 'not both permitted and inheritable',
    );
  },
};

function keep(
  given: Capabilities,
  set: (typeof sets)[number],
  findings: Findings,
  why: (name: string) => string | undefined,
): void {
  const names = given[set];
  const refused = names?.filter((name) => why(name) !== undefined) ?? [];
  if (refused.length === 0) return;
  given[set] = names!.filter((name) => why(name) === undefined);
  const listed = refused.map(shown).join(', ');
  findings.warn(`process.capabilities.${set}`, `${listed} not given: ${why(refused[0]!)}`);
}

export const processRules: Rule[] = [command, user, rlimits, capabilities];
