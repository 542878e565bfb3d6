/** RUN for another architecture than the machine's: the kernel starts such programs where binfmt_misc names an emulator. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import type { Platform } from '../../schemas/oci-image.ts';
import { fits, hostPlatform, showPlatform } from '../images/platform.ts';

/** What the ELF header of a program says: class, byte order, e_machine. Source: elf(5), <elf.h>. */
const machines: Record<string, [bits: 32 | 64, order: 'little' | 'big', machine: number]> = {
  '386': [32, 'little', 3],
  amd64: [64, 'little', 62],
  arm: [32, 'little', 40],
  arm64: [64, 'little', 183],
  loong64: [64, 'little', 258],
  mips64le: [64, 'little', 8],
  ppc64le: [64, 'little', 21],
  riscv64: [64, 'little', 243],
  s390x: [64, 'big', 22],
};

/** Architectures whose processors run programs of others, if the kernel was built so. */
const alsoRuns: Record<string, string> = { amd64: '386', arm64: 'arm' };

const handlers = '/proc/sys/fs/binfmt_misc';

/** @throws StackError `build.not-supported` where nothing on this machine runs programs of the platform */
export function checkRunnable(platform: Platform, folder = handlers, machine: Platform = hostPlatform()): void {
  if (fits(machine, platform)) return;
  const { os, architecture } = platform;
  if (os === machine.os && (architecture === machine.architecture || alsoRuns[machine.architecture] === architecture)) {
    return;
  }
  const handler = os === machine.os ? handlerOf(architecture, folder) : undefined;
  if (handler?.isFixed) return;
  const shown = showPlatform(platform);
  const here = showPlatform({ os: machine.os, architecture: machine.architecture });
  throw new StackError('build.not-supported', {
    message: handler
      ? `Programs for ${shown} are run by ${handler.interpreter}, which a build step does not have: its entry in binfmt_misc lacks the flag F.`
      : `This machine, ${here}, runs no programs for ${shown}.`,
    hint: handler
      ? 'Register the emulator with the flag F, as the package qemu-user-binfmt or qemu-user-static does.'
      : 'Install an emulator (package qemu-user-static, with binfmt_misc mounted), or run the step in a stage FROM --platform=$BUILDPLATFORM and COPY from it.',
  });
}

interface Handler {
  interpreter: string;
  /** Opened when it was registered: there whatever the root of the process. */
  isFixed: boolean;
}

/** Source: Documentation/admin-guide/binfmt-misc.rst of the kernel. */
function handlerOf(architecture: string, folder: string): Handler | undefined {
  const header = headerOf(architecture);
  if (!header) return undefined;
  let names: string[] = [];
  try {
    if (readFileSync(join(folder, 'status'), 'utf8').trim() !== 'enabled') return undefined;
    names = readdirSync(folder).filter((name) => name !== 'status' && name !== 'register');
  } catch {
    return undefined;
  }
  const found = names.flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    const field = (key: string) => new RegExp(`^${key}:? (.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
    const magic = Buffer.from(field('magic'), 'hex');
    if (!text.startsWith('enabled') || magic.length === 0) return [];
    const mask = field('mask') ? Buffer.from(field('mask'), 'hex') : Buffer.alloc(magic.length, 0xff);
    const offset = Number(field('offset')) || 0;
    const isIt = magic.every((byte, at) => {
      const bits = mask[at] ?? 0xff;
      return ((header[offset + at] ?? 0) & bits) === (byte & bits);
    });
    return isIt ? [{ interpreter: field('interpreter'), isFixed: field('flags').includes('F') }] : [];
  });
  return found.find(({ isFixed }) => isFixed) ?? found[0];
}

function headerOf(architecture: string): Buffer | undefined {
  const machine = machines[architecture];
  if (!machine) return undefined;
  const [bits, order, number] = machine;
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 'latin1');
  header.set([bits === 64 ? 2 : 1, order === 'little' ? 1 : 2, 1], 4);
  const write = order === 'little' ? 'writeUInt16LE' : 'writeUInt16BE';
  header[write](2, 16); // ET_EXEC
  header[write](number, 18);
  return header;
}
