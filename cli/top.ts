import type { ListedProcess } from '../engine/containers/top.ts';
import { define } from './command.ts';
import { findContainers, openStack } from './containers.ts';
import { table } from './render/table.ts';

export const top = define({
  usage: 'top [SERVICE...]',
  summary: 'List the processes of the containers',
  dryRun: 'harmless',
  examples: [['stack top web', 'List the processes of the containers of web.']],
  async action(context, services) {
    const { engine, stack } = await openStack(context);
    const { processesOf } = await import('../engine/containers/top.ts');
    const found = await findContainers(engine, stack, services, { withOneOff: true });
    const running = found.filter(({ status }) => status.pid > 0);
    const rows = running
      .sort((a, b) => (a.record.name < b.record.name ? -1 : 1))
      .flatMap(({ record }) =>
        processesOf(engine.host, record).map((process) => [record.service, `${record.number}`, ...cells(process)]),
      );
    const header = ['SERVICE', '#', 'UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'];
    if (rows.length > 0) context.stdout.write(table(header, rows));
  },
});

function cells(process: ListedProcess): string[] {
  const { user, pid, ppid, usage, startedAt, terminal, seconds, command } = process;
  return [user, `${pid}`, `${ppid}`, `${usage}`, started(startedAt, Date.now()), terminal, clock(seconds), command];
}

/** As `ps` has it: `14:05` of the last day, else `Nov28`. */
function started(at: number, now: number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, '0');
  if (now - at < 24 * 3_600_000) return `${two(date.getHours())}:${two(date.getMinutes())}`;
  const month = date.toLocaleString('en', { month: 'short' });
  return `${month}${two(date.getDate())}`;
}

/** `00:01:05`. */
function clock(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
