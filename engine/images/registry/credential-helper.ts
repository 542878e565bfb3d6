/** Programs that keep logins: `docker-credential-<name>`. Source: docker-credential-helpers, "Development". */
import { spawn } from 'node:child_process';
import { printable } from './failure.ts';

export interface Secret {
  ServerURL: string;
  /** `<token>` where the secret is an identity token. */
  Username: string;
  Secret: string;
}

/** What a helper says where it knows nothing of a registry; it ends with an error then. */
const unknown = /credentials not found|no credentials/i;
/** Longest time a helper may take: some ask the user. Milliseconds. */
const timeout = 60_000;
/** A login is small; more is a mistake. Bytes. */
const outputLimit = 1024 * 1024;

/** The login of `key`; undefined where the helper has none. @throws Error in words, where it is missing or fails */
export async function getSecret(helper: string, key: string): Promise<{ user: string; secret: string } | undefined> {
  const output = await run(helper, 'get', key).catch((thrown: Error) => {
    if (unknown.test(thrown.message)) return undefined;
    throw thrown;
  });
  if (output === undefined) return undefined;
  let answer: Partial<Secret>;
  try {
    answer = JSON.parse(output) as Partial<Secret>;
  } catch {
    throw new Error(`docker-credential-${helper} does not answer with JSON`);
  }
  return answer.Username && answer.Secret ? { user: answer.Username, secret: answer.Secret } : undefined;
}

/** @throws Error in words */
export async function storeSecret(helper: string, secret: Secret): Promise<void> {
  await run(helper, 'store', JSON.stringify(secret));
}

/** Says nothing where there is none. @throws Error in words */
export async function eraseSecret(helper: string, key: string): Promise<void> {
  await run(helper, 'erase', key).catch((thrown: Error) => {
    if (!unknown.test(thrown.message)) throw thrown;
  });
}

/** Users by registry. @throws Error in words */
export async function listSecrets(helper: string): Promise<Record<string, string>> {
  return JSON.parse(await run(helper, 'list', '')) as Record<string, string>;
}

function run(helper: string, command: string, input: string): Promise<string> {
  const name = `docker-credential-${helper}`;
  // A name with a slash would not be looked up on the PATH.
  if (!/^[\w.-]+$/.test(helper)) return Promise.reject(new Error(`"${printable(helper, 40)}" is no name of a helper`));
  return new Promise((resolve, reject) => {
    const child = spawn(name, [command], { stdio: ['pipe', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' });
    const texts = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        texts[stream] += text;
        if (texts[stream].length > outputLimit) child.kill('SIGKILL');
      });
    }
    child.once('error', ({ code }: NodeJS.ErrnoException) =>
      reject(new Error(code === 'ENOENT' ? `${name} is not on the PATH` : `${name} cannot be run: ${code}`)),
    );
    // A helper that ends without reading says so by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(texts.stdout);
      // What went wrong is said on standard output, by the protocol.
      const words = printable(texts.stdout || texts.stderr) || (signal ? `it was ended by ${signal}` : `exit ${code}`);
      reject(new Error(`${name} failed: ${words}`));
    });
  });
}
