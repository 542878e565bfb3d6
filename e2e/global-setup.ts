/** Before the scenarios: root, the tools they look at the world with, the base images, the built product. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureTestTools } from '../scripts/test-tools.ts';
import { repository } from './harness/harness.ts';

export default function setup(): void {
  if (process.getuid?.() !== 0) throw new Error('The end-to-end tests make containers: run them as root.');
  if (!existsSync(join(repository, 'dist/stack.js'))) throw new Error('The product is not built: run `npm run build`.');
  ensureTestTools();
}
