/** The real kernel port: the addon, loaded once. Only composition roots import this. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StackError } from '../schemas/errors.ts';
import type { KernelPort } from '../schemas/kernel.ts';

/** Folder of the built parts: `build/Release` at the top of the package, whether run from the bundle or from source. */
function buildFolder(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'binding.gyp'))) {
    const parent = dirname(dir);
    if (parent === dir) break;
    dir = parent;
  }
  return join(dir, 'build/Release');
}

export function loadKernel(): KernelPort {
  const file = join(buildFolder(), 'stack_native.node');
  if (!existsSync(file)) {
    throw new StackError('host.kernel-feature', {
      message: `The native part of Stack was not built: ${file} is missing.`,
      hint: 'Run `npm install` (it needs g++, make and python3) in the folder of Stack.',
    });
  }
  return Object.assign(createRequire(import.meta.url)(file) as Omit<KernelPort, 'addon'>, { addon: file });
}

/** Path of the monitor executable. */
export function shimPath(): string {
  return join(buildFolder(), 'stack_shim');
}
