/** Commands run to their end, with a clock. */
import { spawn } from 'node:child_process';

export interface Timed {
  milliseconds: number;
  stdout: string;
}

/** Rejects with the command's last words where it does not exit 0 within `timeoutMs`. */
export function run(
  words: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<Timed> {
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    const child = spawn(words[0]!, words.slice(1), {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 120_000,
      killSignal: 'SIGKILL',
    });
    let milliseconds = 0;
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('exit', () => {
      milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
    });
    child.once('close', (code, signal) => {
      if (code === 0) return resolve({ milliseconds, stdout });
      const last = (stderr || stdout).trim().split('\n').slice(-3).join(' | ');
      reject(new Error(`${words.join(' ')}: exit ${code ?? signal}: ${last}`));
    });
  });
}

/** Whether the command exists and exits 0. */
export async function answers(words: string[]): Promise<boolean> {
  return run(words, { timeoutMs: 20_000 }).then(
    () => true,
    () => false,
  );
}
