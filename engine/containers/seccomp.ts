/** The system call filter of a service. */
import { readFileSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Seccomp } from '../../schemas/oci-runtime.ts';
import { readProfile } from '../runtime/seccomp/profile.ts';
import { defaultSeccomp } from '../runtime/seccomp/seccomp.ts';

/** The default filter, or that of a file in docker's form. @throws config.value */
export function seccompOf(capabilities: string[], file?: string): Seccomp {
  if (file === undefined) return defaultSeccomp(capabilities);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new StackError('config.value', {
      message: `The seccomp profile ${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`,
      hint: 'Paths are relative to the folder of the stack file.',
      resource: file,
      cause,
    });
  }
  return readProfile(text, { capabilities }, file);
}
