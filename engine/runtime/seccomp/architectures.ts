/** What the filter knows about each architecture. Source: linux/audit.h, asm/unistd.h. */
import { aarch64, arm, i386, x32, x86_64 } from './numbers.ts';

export interface Architecture {
  /** AUDIT_ARCH_*, what the kernel puts into `seccomp_data.arch`. */
  audit: number;
  /** Added to every number. */
  base: number;
  /** Arguments are 64 bits wide. */
  isWide: boolean;
  table: string;
}

/** `__X32_SYSCALL_BIT` of asm/unistd.h. */
export const x32Bit = 0x4000_0000;

const audit = { x86_64: 0xc000_003e, i386: 0x4000_0003, aarch64: 0xc000_00b7, arm: 0x4000_0028 };

/** By the names of the runtime-spec. Others can call nothing under a filter of ours. */
export const architectures: Record<string, Architecture> = {
  SCMP_ARCH_X86_64: { audit: audit.x86_64, base: 0, isWide: true, table: x86_64 },
  SCMP_ARCH_X86: { audit: audit.i386, base: 0, isWide: false, table: i386 },
  SCMP_ARCH_X32: { audit: audit.x86_64, base: x32Bit, isWide: false, table: x32 },
  SCMP_ARCH_AARCH64: { audit: audit.aarch64, base: 0, isWide: true, table: aarch64 },
  SCMP_ARCH_ARM: { audit: audit.arm, base: 0, isWide: false, table: arm },
};

/** The machine's own and the ones whose programs it runs besides. */
export function nativeArchitectures(machine: string = process.arch): string[] {
  if (machine === 'x64') return ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
  if (machine === 'arm64') return ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'];
  return [];
}

/** Numbers from here on are of one architecture alone (ARM): far behind the others, with nothing between. */
export const privateBase = 0xf0000;

const parsed = new Map<string, Map<string, number>>();

/** Numbers by name, without `base`. */
export function numbers(name: string): Map<string, number> {
  let table = parsed.get(name);
  if (table) return table;
  table = new Map();
  let next = 0;
  for (const word of architectures[name]!.table.trim().split(/\s+/)) {
    if (word.charCodeAt(0) <= 0x39) next = Number(word);
    else table.set(word, next++);
  }
  parsed.set(name, table);
  return table;
}
