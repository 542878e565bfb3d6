/**
 * Brings up examples/web-db-cache and shows its answer. Where Docker Hub cannot be reached, the base images are made
 * from Debian packages and served by a registry of this machine, named as a mirror in the product's settings.
 * Usage: npm run demo            (as root; the stack stays up)
 *        npm run demo -- down    (takes it down again, with its volume)
 */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { ensureBaseImages } from './base-images/base-images.ts';
import { places } from './base-images/places.ts';
import { startRegistry } from './base-images/registry.ts';

const root = dirname(import.meta.dirname);
const example = 'examples/web-db-cache';
const say = (line: string) => console.log(`demo: ${line}`);

function stack(...args: string[]): void {
  const words = ['-f', `${example}/compose.yaml`, ...args];
  say(`stack ${words.join(' ')}`);
  const run = spawnSync(join(root, 'bin/stack'), words, { cwd: root, stdio: 'inherit' });
  if (run.status !== 0) throw new Error(`stack ${args[0]} ended with ${run.status ?? run.signal}`);
}

function isRunning(): boolean {
  const words = ['-f', `${example}/compose.yaml`, 'ps', '-q'];
  const run = spawnSync(join(root, 'bin/stack'), words, { cwd: root, encoding: 'utf8' });
  return run.status === 0 && run.stdout.trim() !== '';
}

/** Any registry answers this address with 200 or 401 (distribution-spec, "Determining support"). */
async function isHubReachable(): Promise<boolean> {
  try {
    const answer = await fetch('https://registry-1.docker.io/v2/', { signal: AbortSignal.timeout(5000) });
    return answer.status === 200 || answer.status === 401;
  } catch {
    return false;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}

async function up(): Promise<void> {
  let registry: Awaited<ReturnType<typeof startRegistry>> | undefined;
  const hasOwnSettings = process.env.STACK_SETTINGS || existsSync('/etc/stack/settings.yaml');
  if (hasOwnSettings) say('images come from where the settings of this machine say');
  else if (await isHubReachable()) say('images come from Docker Hub');
  else {
    say('Docker Hub cannot be reached: images are made from Debian packages (a minute or two, once)');
    const at = ensureBaseImages();
    registry = await startRegistry(at);
    const settings = join(at.root, 'demo-settings.yaml');
    writeFileSync(settings, `registries:\n  docker.io:\n    mirrors: ["${registry.url}"]\n    insecure: true\n`);
    process.env.STACK_SETTINGS = settings;
    say(`images come from the registry at ${registry.url}, named as mirror in ${settings}`);
  }
  try {
    if (!process.env.WEB_PORT && !isRunning() && !(await isFree(8080))) {
      process.env.WEB_PORT = '18080';
      say('port 8080 is taken on this machine: 18080 is published instead');
    }
    stack('up', '-d', '--wait');
    stack('ps');
  } finally {
    await registry?.stop();
  }
  const url = `http://localhost:${process.env.WEB_PORT ?? 8080}/`;
  for (let visit = 0; visit < 3; visit++) {
    say(`GET ${url}`);
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    const text = await answer.text();
    console.log(text.trimEnd());
    if (!answer.ok) throw new Error(`the web service answered ${answer.status}`);
  }
  say(`it is up: curl ${url} counts on. Take it down with: npm run demo -- down`);
}

try {
  if (process.getuid?.() !== 0) throw new Error('Containers need root rights: run this as root.');
  if (!existsSync(join(root, 'dist/stack.js'))) throw new Error('The product is not built: run `npm install` first.');
  if (process.argv[2] === 'down') {
    const settings = join(places().root, 'demo-settings.yaml');
    if (!process.env.STACK_SETTINGS && existsSync(settings)) process.env.STACK_SETTINGS = settings;
    stack('down', '-v');
  } else await up();
} catch (error) {
  console.error(`demo: ${(error as Error).message}`);
  process.exit(1);
}
