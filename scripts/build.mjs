// Builds what `npm install` must leave behind: the addon and the shim (node-gyp), and the bundle (esbuild).
// Usage: node scripts/build.mjs [native|ts]
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const only = process.argv[2];

/** The headers shipped inside the pinned `node` package, so that node-gyp downloads nothing. */
function headers() {
  const pinned = join(root, 'node_modules/node/node_modules', `node-linux-${process.arch}`);
  const candidates = [
    pinned,
    join(root, 'node_modules', `node-linux-${process.arch}`),
    dirname(dirname(process.execPath)),
    '/usr',
  ];
  return candidates.find((dir) => existsSync(join(dir, 'include/node/node_api.h')));
}

function native() {
  const missing = ['g++', 'make', 'python3'].filter(
    (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error,
  );
  if (missing.length > 0) {
    console.error(`stack: cannot build the native parts: ${missing.join(', ')} not found.`);
    console.error('  Install them first. On Debian and Ubuntu: apt-get install -y g++ make python3');
    process.exit(1);
  }
  const nodedir = headers();
  const args = [
    require.resolve('node-gyp/bin/node-gyp.js'),
    // Always configured anew: the list of sources is read then, and costs a third of a second.
    'configure',
    'build',
    '--silent',
  ];
  if (nodedir) args.push(`--nodedir=${nodedir}`);
  const env = { ...process.env, MAKEFLAGS: process.env.MAKEFLAGS ?? '-j2' };
  const run = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  if (run.status !== 0) process.exit(run.status ?? 1);
}

function ts() {
  execFileSync(process.execPath, [join(root, 'scripts/bundle.mjs')], { stdio: 'inherit' });
}

if (only !== 'ts') native();
if (only !== 'native') ts();
