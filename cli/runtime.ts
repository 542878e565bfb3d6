/** Entry of `stack-runtime`, and its composition root: an OCI runtime behind runc's command line. */
async function run(): Promise<void> {
  const { main } = await import('./runtime/main.ts');
  const exitCode = await main({
    arguments: process.argv.slice(2),
    environment: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    async kernel() {
      return (await import('../native/index.ts')).loadKernel();
    },
  });
  process.exitCode = exitCode;
  // A slow reader gets all of it; nothing else keeps the process.
  process.stdout.write('', () => process.exit(exitCode));
}

run().catch((error: unknown) => {
  process.stderr.write(`stack-runtime: internal error: ${(error as Error).stack}\n`);
  process.exit(1);
});
