import { spawnSync } from 'node:child_process';
import { cgroupProcesses } from '../../engine/runtime/cgroup/cgroup.ts';
import { cgroupOf, document } from '../../engine/runtime/oci/state.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Definition } from './command.ts';

export const state: Definition = {
  usage: 'state <container-id>',
  summary: 'Print the state of a container as JSON',
  async action(context, [id = '']) {
    const { states } = await context.runtime();
    const found = states.read(id);
    const { created, owner, rootfs } = found;
    context.print(`${JSON.stringify({ ...document(found, states.status(found)), rootfs, created, owner }, null, 2)}\n`);
  },
};

export const list: Definition = {
  usage: 'list',
  summary: 'List the containers',
  options(command) {
    command.option('-f, --format <format>', 'table or json', 'table').option('-q, --quiet', 'ids only');
  },
  async action(context, _, { format, quiet }) {
    const { states, warn } = await context.runtime();
    const readable = states.list().flatMap((id) => {
      try {
        return [states.read(id)];
      } catch (error) {
        // One that is damaged, or was deleted just now, does not hide the others.
        warn((error as Error).message);
        return [];
      }
    });
    const all = readable.map((found) => {
      const status = states.status(found);
      const { created, owner, rootfs } = found;
      return { ...document(found, status), pid: status === 'stopped' ? 0 : found.pid, rootfs, created, owner };
    });
    if (quiet) context.print(all.map(({ id }) => `${id}\n`).join(''));
    else if (format === 'json') context.print(`${JSON.stringify(all)}\n`);
    else {
      const rows = all.map((one) => [one.id, String(one.pid), one.status, one.bundle, one.created, one.owner]);
      context.print(table([['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'], ...rows]));
    }
  },
};

export const ps: Definition = {
  usage: 'ps <container-id> [ps-options...]',
  summary: 'List the processes of a container',
  isInterspersed: false,
  options: (command) => void command.option('-f, --format <format>', 'table or json', 'table'),
  async action(context, [id = '', ...options], { format }) {
    const { states } = await context.runtime();
    const pids = cgroupProcesses(cgroupOf(states.read(id), 'listed')).sort((a, b) => a - b);
    if (format === 'json') {
      context.print(`${JSON.stringify(pids)}\n`);
      return;
    }
    const asked = options.length > 0 ? options : ['-ef'];
    const { stdout, status, error } = spawnSync('ps', asked, { encoding: 'utf8' });
    if (error || status !== 0) {
      throw new StackError('usage', {
        message: `ps ${asked.join(' ')} failed${error ? `: ${error.message}` : ''}.`,
        hint: 'ps --format json needs no ps(1).',
      });
    }
    const [head = '', ...lines] = stdout.trimEnd().split('\n');
    const column = head.trim().split(/\s+/).indexOf('PID');
    const own = lines.filter((line) => pids.includes(Number(line.trim().split(/\s+/)[column])));
    context.print([head, ...own].map((line) => `${line}\n`).join(''));
  },
};

function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}
