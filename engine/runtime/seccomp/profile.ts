/**
 * A seccomp profile as docker writes it, which has conditions the runtime-spec has not: rules that hold with some
 * capabilities, architectures or kernels only. Source: docs.docker.com "Seccomp security profiles", moby profiles/seccomp.
 */
import { release } from 'node:os';
import * as z from 'zod/mini';
import { StackError } from '../../../schemas/errors.ts';
import type { Seccomp, SeccompRule } from '../../../schemas/oci-runtime.ts';
import { Findings } from '../oci/check/findings.ts';
import { apply } from '../oci/check/rule.ts';
import { seccompRules } from '../oci/check/seccomp.ts';
import { parseExact } from '../spec-json.ts';
import { actions, architectureNames, flagNames, operators } from './names.ts';

const action = z.enum(Object.keys(actions) as [string, ...string[]]);
const integer = z.union([z.int().check(z.minimum(0)), z.bigint().check(z.minimum(0n))]);
const condition = z.looseObject({
  caps: z.optional(z.nullable(z.array(z.string()))),
  arches: z.optional(z.nullable(z.array(z.string()))),
  minKernel: z.optional(z.string()),
});
type Condition = z.infer<typeof condition>;

const rule = z.looseObject({
  /** The older form has one name a rule. */
  name: z.optional(z.string()),
  names: z.optional(z.nullable(z.array(z.string()))),
  action,
  errnoRet: z.optional(z.int()),
  args: z.optional(
    z.nullable(
      z.array(
        z.looseObject({
          index: z.int().check(z.minimum(0), z.maximum(5)),
          value: integer,
          valueTwo: z.optional(integer),
          op: z.enum(operators as unknown as [string, ...string[]]),
        }),
      ),
    ),
  ),
  includes: z.optional(condition),
  excludes: z.optional(condition),
});

const profile = z.looseObject({
  defaultAction: action,
  defaultErrnoRet: z.optional(z.int()),
  architectures: z.optional(z.nullable(z.array(z.string()))),
  archMap: z.optional(
    z.nullable(
      z.array(
        z.looseObject({ architecture: z.string(), subArchitectures: z.optional(z.nullable(z.array(z.string()))) }),
      ),
    ),
  ),
  flags: z.optional(z.nullable(z.array(z.enum(flagNames as unknown as [string, ...string[]])))),
  syscalls: z.optional(z.nullable(z.array(rule))),
});

/** The profiles' conditions use Go's names of architectures. */
const goName = (machine: string) => (machine === 'x64' ? 'amd64' : machine);
const nativeName: Record<string, string> = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' };

export interface ProfileSetting {
  /** Of the container. */
  capabilities: string[];
  /** Node's name of the architecture. */
  machine?: string;
  /** `6.1.0-18-amd64` */
  kernel?: string;
}

/**
 * The filter of a container under this profile.
 * @param where what the text is called in messages: the file.
 * @throws config.value naming the place in the file.
 */
export function readProfile(text: string, setting: ProfileSetting, where: string): Seccomp {
  const { machine = process.arch } = setting;
  const read = profile.safeParse(parseExact(text, where, 'Write the profile as docker takes it: a JSON document.'));
  if (!read.success) {
    const [issue] = read.error.issues;
    throw invalid(where, `${issue!.path.map(String).join('.') || 'the document'}: ${issue!.message}`);
  }
  const { defaultAction, defaultErrnoRet, architectures, archMap, flags, syscalls } = read.data;
  const mapped = archMap?.find(({ architecture }) => architecture === nativeName[machine]);
  const named = mapped ? [mapped.architecture, ...(mapped.subArchitectures ?? [])] : (architectures ?? []);
  const made = {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: named.filter((name) => architectureNames.includes(name)),
    ...(flags?.length ? { flags } : {}),
    syscalls: (syscalls ?? []).flatMap((one): SeccompRule[] => {
      const names = one.names?.length ? one.names : one.name ? [one.name] : [];
      if (names.length === 0 || !holds(one.includes, one.excludes, setting)) return [];
      const { errnoRet, args } = one;
      return [
        {
          names,
          action: one.action,
          ...(errnoRet === undefined ? {} : { errnoRet }),
          ...(args?.length ? { args } : {}),
        } as SeccompRule,
      ];
    }),
  } as Seccomp;
  refuse(made, where);
  return made;
}

/** All that is said to be included, and nothing of what is excluded. */
function holds(includes: Condition = {}, excludes: Condition = {}, setting: ProfileSetting): boolean {
  const { capabilities, machine = process.arch, kernel = release() } = setting;
  const has = (caps: string[]) => caps.every((name) => capabilities.includes(name));
  const isHere = (arches: string[]) => arches.includes(goName(machine));
  if (includes.caps?.length && !has(includes.caps)) return false;
  if (includes.arches?.length && !isHere(includes.arches)) return false;
  if (includes.minKernel && !isAtLeast(kernel, includes.minKernel)) return false;
  if (excludes.caps?.length && has(excludes.caps)) return false;
  if (excludes.arches?.length && isHere(excludes.arches)) return false;
  return !(excludes.minKernel && isAtLeast(kernel, excludes.minKernel));
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const numbers = (text: string) => (/^(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const [[major = 0, minor = 0], [wantedMajor = 0, wantedMinor = 0]] = [numbers(kernel), numbers(wanted)];
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** What config.json could not have either: a notification nobody gets, an errno too large. */
function refuse(seccomp: Seccomp, where: string): void {
  const findings = new Findings('linux.seccomp');
  apply(seccompRules, { ociVersion: '1.2.0', linux: { seccomp } }, findings, '');
  findings.raise(where, hint);
}

const hint = 'docs.docker.com/engine/security/seccomp shows the format; `seccomp=unconfined` goes without a filter.';

const invalid = (where: string, what: string) =>
  new StackError('config.value', {
    message: `The seccomp profile ${where} cannot be used: ${what}.`,
    hint,
    resource: where,
  });
