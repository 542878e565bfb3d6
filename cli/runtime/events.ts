import { setTimeout as delay } from 'node:timers/promises';
import { oomKills } from '../../engine/runtime/cgroup/cgroup.ts';
import { cgroupStats } from '../../engine/runtime/cgroup/stats.ts';
import { wrongStatus } from '../../engine/runtime/oci/start.ts';
import { cgroupOf } from '../../engine/runtime/oci/state.ts';
import { toJson } from '../../engine/runtime/spec-json.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Definition } from './command.ts';

export const events: Definition = {
  usage: 'events <container-id>',
  summary: 'Print figures of a container as JSON lines, and what happens to it',
  options(command) {
    command.option('--stats', 'once, and no more').option('--interval <duration>', 'pause between two lines', '5s');
  },
  async action(context, [id = ''], { stats, interval }) {
    const { states } = await context.runtime();
    const state = states.read(id);
    if (states.status(state) === 'stopped') throw wrongStatus(id, 'stopped', 'watched', 'created or running');
    const cgroup = cgroupOf(state, 'watched');
    const print = (type: string, data: unknown) => context.print(`${toJson({ type, id, data })}\n`);
    if (stats) return print('stats', cgroupStats(cgroup));
    const pauseMs = milliseconds(interval as string);
    let killed = oomKills(cgroup);
    while (states.status(state) !== 'stopped') {
      print('stats', cgroupStats(cgroup));
      const now = oomKills(cgroup);
      if (now > killed) print('oom', undefined);
      killed = now;
      await delay(pauseMs);
    }
  },
};

/** `5s`, `100ms`, `1m`. */
function milliseconds(text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const value = Number(number) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as 'ms' | 's' | 'm' | 'h'];
  if (value > 0) return value;
  throw new StackError('usage', { message: `"${text}" is no duration.`, hint: 'Write it as 5s or 500ms.' });
}
