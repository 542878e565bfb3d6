// Bundles the command line into dist/. One file, in which a module runs when it is first imported; as CommonJS, since
// Node starts that without its ES module loader; behind a launcher, since a file is not cached that turns the cache on.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { builtinModules, createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const load = createRequire(import.meta.url);
// The cache lies beside the bundle, not in the world-writable /tmp: it holds code that root runs. Where the checkout is a
// user's and root runs it, it lies with root: the next build could not remove a folder of root's.
const launcher = (module) => `'use strict';
const isOurs = require('node:fs').statSync(__dirname).uid === process.geteuid();
const cache = isOurs ? require('node:path').join(__dirname, '.compile-cache') : '/var/cache/stack';
require('node:module').enableCompileCache?.(cache);
require('./${module}.js');
`;

/** Node's own modules load when one of their names is used, not when something that imports them does. */
const lazyBuiltins = {
  name: 'lazy-builtins',
  setup(build) {
    build.onResolve({ filter: /^(node:)?[a-z_/0-9]+$/ }, ({ path, namespace }) => {
      const name = path.replace(/^node:/, '');
      if (namespace === 'builtin' || !builtinModules.includes(name)) return undefined;
      // What is a function itself (events, assert, …) has no names to stand in for.
      return typeof load(`node:${name}`) === 'object' ? { path: name, namespace: 'builtin' } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `let loaded;
for (const name of ${JSON.stringify(Object.keys(load(`node:${path}`)))})
  Object.defineProperty(exports, name, { enumerable: true, get: () => (loaded ??= require('node:${path}'))[name] });`,
    }));
  },
};

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
await writeFile(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
for (const [name, module] of Object.entries({ stack: 'main', 'stack-runtime': 'runtime' })) {
  await writeFile(join(dist, `${name}.js`), launcher(module));
}
await build({
  absWorkingDir: root,
  entryPoints: { main: 'cli/stack.ts', runtime: 'cli/runtime.ts', 'extract-worker': 'engine/images/extract-worker.ts' },
  outdir: 'dist',
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node22',
  // Large, and needed by the few commands that draw on a terminal.
  external: ['listr2'],
  // Its CommonJS build has no named exports behind `await import('yaml')`.
  alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
  define: { 'import.meta.url': '__url', 'import.meta.dirname': '__dirname' },
  banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
  // A third less to read at each start; NODE_OPTIONS=--enable-source-maps gives the names back.
  minify: true,
  plugins: [lazyBuiltins],
  sourcemap: 'linked',
  logLevel: 'warning',
});
