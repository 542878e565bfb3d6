/**
 * Run inside a private host: `dying.ts N ACTION STACK.json` carries ACTION out (up, down) and kills itself before call
 * number N of the kernel port. Ends with 0 and prints the number of calls where there were fewer.
 */
import { readFileSync } from 'node:fs';
import { createEngine } from '../../engine/engine.ts';
import { readSettings } from '../../engine/settings.ts';
import { layout } from '../../engine/state/layout.ts';
import { loadKernel } from '../../native/index.ts';
import type { Project } from '../../schemas/project.ts';
import { watched } from './counting.ts';

const [at, action, file] = process.argv.slice(2);
let count = 0;
const kernel = watched(loadKernel(), () => {
  if (++count === Number(at)) process.kill(process.pid, 'SIGKILL');
  return undefined;
});
const project = JSON.parse(readFileSync(file!, 'utf8')) as Project;
const engine = createEngine({ kernel, layout: layout(process.env), settings: await readSettings(process.env) });
const options =
  action === 'down' ? ({ action, removeVolumes: true } as const) : ({ action: 'up', timeoutMs: 0 } as const);
await engine.apply(project, options, { emit() {} });
console.log(count);
process.exit(0);
