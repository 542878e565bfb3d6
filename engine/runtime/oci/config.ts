/**
 * A bundle's config.json, read and held to the specification before anything is made. Source: runtime-spec config.md,
 * config-linux.md; every MUST that can be judged from the document is a rule of check/.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';
import type { Process, Resources, RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import { readSpec } from '../spec-json.ts';
import { deviceRules } from './check/devices.ts';
import { filesystemRules } from './check/filesystem.ts';
import { Findings } from './check/findings.ts';
import { namespaceRules } from './check/namespaces.ts';
import { placementRules } from './check/placement.ts';
import { processRules } from './check/process.ts';
import { resourceRules } from './check/resources.ts';
import { apply, type Rule } from './check/rule.ts';
import { schedulingRules } from './check/scheduling.ts';
import { seccompRules } from './check/seccomp.ts';
import { examine, object, type Shape } from './check/shape.ts';
import { configShape, processShape } from './check/structure.ts';
import { resourcesShape } from './check/structure-linux.ts';
import { sysctlRules } from './check/sysctl.ts';
import { versionRules } from './check/version.ts';

/** A config.json of this size takes a tenth of a second to read; the largest profiles in use are a hundredth of it. */
const mostBytes = 16 * 1024 * 1024;

const ofProcess = [...processRules, ...schedulingRules];
const ofConfig = [
  ...versionRules,
  ...ofProcess,
  ...filesystemRules,
  ...namespaceRules,
  ...sysctlRules,
  ...deviceRules,
  ...seccompRules,
  ...resourceRules,
  ...placementRules,
];

/**
 * @param bundle directory of config.json.
 * @returns the document, with null properties removed, mount destinations absolute and capabilities that cannot be given
 * left out; and what is to be logged as a warning, a line each. `process` may be absent: see {@link requireProcess}.
 * @throws config.not-found without a config.json; config.type or config.value with every problem of the document.
 */
export function loadConfig(bundle: string): { spec: RuntimeSpec; warnings: string[] } {
  const directory = resolve(bundle);
  return checkConfig(readConfig(join(directory, 'config.json')), directory);
}

/** {@link loadConfig} on the text of a config.json. @param bundle absolute path, for root.path and messages. */
export function checkConfig(text: string, bundle: string): { spec: RuntimeSpec; warnings: string[] } {
  const spec = readSpec(text, join(bundle, 'config.json'));
  return { spec, warnings: held(configShape, spec, ofConfig, new Findings(), join(bundle, 'config.json'), bundle) };
}

/** `process` of a config.json by itself, as `exec --process FILE` takes it. @throws as {@link loadConfig}. */
export function loadProcess(text: string, file = 'process'): { process: Process; warnings: string[] } {
  const process = readSpec(text, file) as unknown as Process;
  const spec = { process } as RuntimeSpec;
  const shape = object({ 'process!': processShape });
  return { process, warnings: held(shape, spec, ofProcess, new Findings('process'), file, '') };
}

/** `linux.resources` by itself, as `update --resources FILE` takes it. @throws as {@link loadConfig}. */
export function loadResources(text: string, file = 'resources'): { resources: Resources; warnings: string[] } {
  const resources = readSpec(text, file) as unknown as Resources;
  const spec = { linux: { resources } } as RuntimeSpec;
  const shape = object({ 'linux!': object({ 'resources!': resourcesShape }) });
  return { resources, warnings: held(shape, spec, resourceRules, new Findings('linux.resources'), file, '') };
}

/** What `start` needs and `create` does not (config.md "Process"). @throws config.value where it is absent. */
export function requireProcess(spec: RuntimeSpec, file: string): Process {
  if (spec.process) return spec.process;
  throw new StackError('config.value', {
    message: `${file}: process is missing: there is nothing to start`,
    hint,
    resource: file,
  });
}

const hint = 'Correct the file; the OCI runtime-spec says what each property means (config.md, config-linux.md).';

function held(shape: Shape, spec: RuntimeSpec, rules: Rule[], findings: Findings, file: string, bundle: string) {
  examine(shape, spec, findings);
  apply(rules, spec, findings, bundle);
  findings.raise(file, hint);
  return findings.warnings;
}

export function readConfig(file: string): string {
  let bytes: Buffer;
  try {
    const stats = statSync(file);
    // A fifo would be waited for, and a device may never end.
    if (!stats.isFile()) throw unreadable(file, 'is not a regular file');
    if (stats.size > mostBytes) throw unreadable(file, `has ${stats.size} bytes, more than ${mostBytes}`);
    bytes = readFileSync(file);
  } catch (cause) {
    if (cause instanceof StackError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw unreadable(file, code === 'ENOENT' ? 'does not exist' : `cannot be read: ${(cause as Error).message}`, cause);
  }
  if (!isUtf8(bytes)) throw unreadable(file, 'is not UTF-8');
  return bytes.toString('utf8');
}

function unreadable(file: string, why: string, cause?: unknown): StackError {
  const errno = (cause as NodeJS.ErrnoException | undefined)?.code;
  return new StackError(errno === 'ENOENT' ? 'config.not-found' : 'config.unreadable', {
    message: `${file} ${why}`,
    hint: 'A bundle is a directory with a config.json of the OCI runtime-spec; `stack-runtime spec` writes one.',
    resource: file,
    errno,
    cause,
  });
}
