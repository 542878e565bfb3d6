// Bundles the command line into dist/. One file, in which a module runs when it is first imported; as CommonJS, since
// Node starts that without its ES module loader; behind a launcher (cli/launcher.ts), which keeps what V8 compiled.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { builtinModules, createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const load = createRequire(import.meta.url);
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

/** Names of the commands, which are the keys of an object in a file: it imports nothing before a command is asked for. */
async function namesIn(path, name) {
  const { code } = await transform(await readFile(join(root, path), 'utf8'), { loader: 'ts' });
  const module = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  return Object.keys(module[name]);
}

for (const [name, module, commands] of [
  ['stack', 'main', await namesIn('cli/commands.ts', 'commands')],
  ['stack-runtime', 'runtime', await namesIn('cli/runtime/commands.ts', 'commands')],
]) {
  const path = join(dist, `${module}.js`);
  // The launcher reads a byte a character. esbuild escapes what is not ASCII everywhere but in regular expressions.
  const escaped = (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const text = (await readFile(path, 'utf8')).replace(/[^\0-\x7f]/g, escaped);
  // What is not bundled is imported for it by the launcher: a script of node:vm cannot, without a warning.
  const content = text.replaceAll(/(?<![\w$.])import\("/g, '__import("');
  await writeFile(path, content);
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 32);
  await build({
    absWorkingDir: root,
    entryPoints: { [name]: 'cli/launcher.ts' },
    outdir: 'dist',
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    define: { bundle: JSON.stringify({ name: module, digest, commands }) },
    minify: true,
    logLevel: 'warning',
  });
}
