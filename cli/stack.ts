/** Entry of the command line, and its composition root: the one place that picks the real kernel. */
import type { Host } from '../engine/host.ts';
import { StackError } from '../schemas/errors.ts';

// `stack logs | head`: the reader has what it wanted. 128 + SIGPIPE, as a shell reports it of others.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(141);
  throw error;
});

// Progress that nobody reads any more is no reason to stop halfway.
process.stderr.on('error', () => {});

async function run(): Promise<void> {
  const { main } = await import('./main.ts');
  const exitCode = await main({
    arguments: process.argv.slice(2),
    environment: process.env,
    // Opened by those who read it: its streams take some milliseconds to load.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    host,
    async engine(isDry) {
      const [{ createEngine }, made] = await Promise.all([import('../engine/engine.ts'), host(isDry)]);
      return createEngine(made);
    },
  });
  // What a slow reader has not taken yet would be lost with the process.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
  // Not left to the event loop: a watcher or a connection kept alive would hold the process.
  process.exit(exitCode);
}

async function host(isDry = false): Promise<Host> {
  if (process.geteuid?.() !== 0) {
    throw new StackError('host.not-root', {
      message: 'Stack makes namespaces, mounts and networks, which needs root rights; this user has none.',
      hint: `Run it as root: sudo stack ${process.argv.slice(2).join(' ')}`,
    });
  }
  const [{ loadKernel }, { layout }, { readSettings }] = await Promise.all([
    import('../native/index.ts'),
    import('../engine/state/layout.ts'),
    import('../engine/settings.ts'),
  ]);
  return { kernel: loadKernel(), layout: layout(process.env), settings: await readSettings(process.env, isDry) };
}

/** A fault of ours, outside of everything that is awaited: one clear error, and the handlers of `exit` clean up. */
async function fault(thrown: unknown): Promise<void> {
  const [{ reportError }, { readGlobals }] = await Promise.all([import('./render/error.ts'), import('./globals.ts')]);
  const { env, stderr } = process;
  reportError(thrown, { stderr, environment: env, globals: readGlobals({}, {}, env) });
  process.exit(1);
}

process.on('uncaughtException', fault);
run().catch(fault);
