/** What every engine room is handed: the kernel port and where things lie. Chosen once, by the composition root. */
import { createHash } from 'node:crypto';
import type { KernelPort } from '../schemas/kernel.ts';
import type { Settings } from '../schemas/settings.ts';
import type { Layout } from './state/layout.ts';

export interface Host {
  kernel: KernelPort;
  layout: Layout;
  settings: Settings;
}

const usualRoot = '/var/lib/stack';

/**
 * Parent of this world's cgroups: the setting, or `/stack`. The cgroup file systems are one for the whole machine, so a
 * world with a root of its own (a test) gets a parent of its own: it must not take another's containers for strays.
 */
export function cgroupParent({ layout, settings }: Pick<Host, 'layout' | 'settings'>): string {
  if (settings.cgroupParent) return `/${settings.cgroupParent.split('/').filter(Boolean).join('/')}`;
  if (layout.root === usualRoot) return '/stack';
  return `/stack-${createHash('sha256').update(layout.root).digest('hex').slice(0, 8)}`;
}
