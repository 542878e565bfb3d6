/**
 * Writes engine/security/apparmor-compiled.ts, for machines with AppArmor and without its tools. Run it after a change
 * of the profile's text. Compiled for the features of Linux 5.4, the oldest Debian's package knows.
 *
 * Usage: node scripts/apparmor-compile.ts
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { defaultProfile } from '../engine/security/apparmor-profile.ts';
import { appArmorPackage } from './base-images/tools.ts';

const at = appArmorPackage((line) => console.error(line));
const features = join(at, 'etc/apparmor.d/abi/kernel-5.4-vanilla');
const args = ['-K', '-Q', '-S', '--policy-features', features, '--kernel-features', features];
const text = defaultProfile();
const compiled = execFileSync(join(at, 'sbin/apparmor_parser'), args, { input: text });
const base64 = deflateRawSync(compiled, { level: 9 }).toString('base64');
const lines = base64.match(/.{1,116}/g)!.map((line) => `  '${line}',`);

writeFileSync(
  join(import.meta.dirname, '../engine/security/apparmor-compiled.ts'),
  `/** The profile of apparmor-profile.ts as the kernel reads it. Made by scripts/apparmor-compile.ts; not for editing. */
import { inflateRawSync } from 'node:zlib';

/** Of the text it was made from: the two must not part. */
export const compiledFrom = '${createHash('sha256').update(text).digest('hex')}';

export const compiledProfile = (): Uint8Array => inflateRawSync(Buffer.from(deflated.join(''), 'base64'));

const deflated = [
${lines.join('\n')}
];
`,
);
