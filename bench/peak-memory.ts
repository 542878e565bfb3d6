/** The most a command holds resident. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Kilobytes: the kernel's own high-water mark (VmHWM, proc_pid_status(5)) of the command's process, read until it ends. */
export async function peakMemory(words: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(words[0]!, words.slice(1), { env, stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const look = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peak = Math.max(peak, Number(/^VmHWM:\s+([0-9]+)/m.exec(status)?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, 20);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  clearInterval(look);
  if (code !== 0) throw new Error(`${words.join(' ')}: exit ${code}`);
  return peak;
}
