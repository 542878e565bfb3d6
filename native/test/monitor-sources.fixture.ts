/** The shim's sources without its main: what a test of the whole monitor is linked with. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export function monitorSources(): string[] {
  const shim = join(import.meta.dirname, '../shim');
  const names = readdirSync(shim).filter((name) => name.endsWith('.cc') && name !== 'main.cc');
  return names.map((name) => join(shim, name));
}
