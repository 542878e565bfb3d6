/** Entry of `stack-runtime`, and its composition root: an OCI runtime behind runc's command line. */
async function run(): Promise<void> {
  const { main } = await import('./runtime/main.ts');
  // Each takes milliseconds to open, and most commands say nothing.
  let stdout: NodeJS.WriteStream | undefined;
  const exitCode = await main({
    arguments: process.argv.slice(2),
    environment: process.env,
    get stdout() {
      stdout = process.stdout;
      return stdout;
    },
    get stderr() {
      return process.stderr;
    },
    async kernel() {
      return (await import('../native/index.ts')).loadKernel();
    },
  });
  process.exitCode = exitCode;
  // A slow reader gets all of it; nothing else keeps the process.
  if (stdout) stdout.write('', () => process.exit(exitCode));
  else process.exit(exitCode);
}

run().catch((error: unknown) => {
  process.stderr.write(`stack-runtime: internal error: ${(error as Error).stack}\n`);
  process.exit(1);
});
