/** The real kernel port: the addon, loaded once. Only composition roots import this. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StackError } from '../schemas/errors.ts';
import type { Fd, KernelPort, ProcessVerbs, SpawnShim } from '../schemas/kernel.ts';

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
  const addon = createRequire(import.meta.url)(file) as Addon;
  let executable: Fd | undefined;
  const spawnShim = ({ program, fds }: SpawnShim) => {
    // One sealed copy for all the shims of this process: they share its pages.
    executable ??= addon.process.sealedCopy(join(buildFolder(), 'stack_shim'));
    return addon.process.spawnShim(executable, program, fds);
  };
  const { filesystem, network } = addon;
  return { addon: file, filesystem, network, process: { ...addon.process, spawnShim } };
}

/** The addon as it is: starting the shim takes the descriptor of its executable. */
interface Addon extends Omit<KernelPort, 'process' | 'addon'> {
  process: Omit<ProcessVerbs, 'spawnShim'> & {
    sealedCopy(path: string): Fd;
    spawnShim(executable: Fd, program: Uint8Array, fds: Fd[]): ReturnType<ProcessVerbs['spawnShim']>;
  };
}
