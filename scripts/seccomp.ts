// Writes engine/runtime/seccomp/precompiled.ts: run it after a change of the default policy or of the compiler.
import { writeFileSync } from 'node:fs';
import { nativeArchitectures } from '../engine/runtime/seccomp/architectures.ts';
import { compile } from '../engine/runtime/seccomp/compile.ts';
import { defaultPolicy } from '../engine/runtime/seccomp/policy.ts';

/** Of the default capabilities, those the policy asks for. */
const capabilities = ['CAP_SYS_CHROOT'];

const filters = ['x64', 'arm64'].map((machine) => {
  const { filter } = compile(defaultPolicy(capabilities, nativeArchitectures(machine)), machine);
  return `  ${machine}:\n    '${Buffer.from(filter).toString('base64')}',`;
});

writeFileSync(
  new URL('../engine/runtime/seccomp/precompiled.ts', import.meta.url),
  [
    '// Written by scripts/seccomp.ts.',
    '',
    '/** Capabilities the filters below are for, of those the default policy knows. */',
    `export const precompiledFor = ${JSON.stringify(capabilities).replaceAll('"', "'")};`,
    '',
    "/** The default policy for a container with docker's default capabilities, compiled; base64, by Node's name of the machine. */",
    'export const precompiled: Record<string, string> = {',
    ...filters,
    '};',
    '',
  ].join('\n'),
);
