// Bundles the command line into dist/. One file, in which a module runs when it is first imported; as CommonJS, since
// Node starts that without its ES module loader; behind a launcher, since a file is not cached that turns the cache on.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
// The cache lies beside the bundle, not in the world-writable /tmp: it holds code that root runs.
const launcher = `'use strict';
require('node:module').enableCompileCache?.(require('node:path').join(__dirname, '.compile-cache'));
require('./main.js');
`;

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
await writeFile(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
await writeFile(join(dist, 'stack.js'), launcher);
await build({
  absWorkingDir: root,
  entryPoints: { main: 'cli/stack.ts', 'extract-worker': 'engine/images/extract-worker.ts' },
  outdir: 'dist',
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node22',
  // Large, and needed by the few commands that reach a registry or draw on a terminal.
  external: ['undici', 'listr2'],
  // Its CommonJS build has no named exports behind `await import('yaml')`.
  alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
  define: { 'import.meta.url': '__url', 'import.meta.dirname': '__dirname' },
  banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  logLevel: 'warning',
});
