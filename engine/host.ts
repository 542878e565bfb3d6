/** What every engine room is handed: the kernel port and where things lie. Chosen once, by the composition root. */
import type { KernelPort } from '../schemas/kernel.ts';
import type { Settings } from '../schemas/settings.ts';
import type { Layout } from './state/layout.ts';

export interface Host {
  kernel: KernelPort;
  layout: Layout;
  settings: Settings;
}
