import { Option } from 'commander';
import type { Check, CheckStatus } from '../engine/doctor/doctor.ts';
import type { Host } from '../engine/host.ts';
import { asStackError, type StackError } from '../schemas/errors.ts';
import { type Context, define } from './command.ts';
import { color, style } from './render/style.ts';

interface Flags {
  json?: boolean;
  format: 'pretty' | 'json';
}

export const doctor = define<Flags>({
  usage: 'doctor',
  summary: 'Tell whether this machine can run stacks, and what to do where it cannot',
  examples: [
    [
      'stack doctor',
      'Look at kernel, cgroups, security modules, disk and network. The exit code is 1 where a check fails.',
    ],
    ['stack doctor --json', 'Print the checks as one JSON object; their ids are permanent.'],
  ],
  options(command) {
    command.option('--json', 'print one JSON object');
    command.addOption(new Option('--format <format>', 'output format').choices(['pretty', 'json']).default('pretty'));
  },
  async action(context, _, flags) {
    const { examine, securityPlaces, thisMachine } = await import('../engine/doctor/doctor.ts');
    const { host, problem } = await hostOf(context);
    const machine = thisMachine(host?.kernel, context.environment);
    const found = await examine(machine, securityPlaces(host?.settings.selinux === true));
    const checks = problem ? [ofProblem(problem), ...found] : found;
    const count = (status: CheckStatus) => checks.filter((one) => one.status === status).length;
    const counts = { ok: count('ok'), warn: count('warn'), fail: count('fail') };
    const status: CheckStatus = counts.fail > 0 ? 'fail' : counts.warn > 0 ? 'warn' : 'ok';
    if (flags.json || flags.format === 'json') {
      context.stdout.write(`${JSON.stringify({ status, checks }, null, 2)}\n`);
    } else {
      context.stdout.write(`${pretty(checks, context)}\n${summary(counts)}\n`);
    }
    return counts.fail > 0 ? 1 : 0;
  },
});

/** Without root rights, or with something of Stack missing, there is still much to look at. */
async function hostOf(context: Context): Promise<{ host?: Host; problem?: StackError }> {
  try {
    return { host: await context.host() };
  } catch (thrown) {
    return { problem: asStackError(thrown) };
  }
}

const ofProblem = ({ code, title, message, hint }: StackError): Check => ({
  id: code,
  title,
  status: 'fail',
  found: message,
  ...(hint ? { advice: hint } : {}),
});

const colors = { ok: color.green, warn: color.yellow, fail: color.red };

/** A line for each check; beneath it what to do, where there is something. */
function pretty(checks: Check[], { stdout, globals, environment }: Context): string {
  const { paint } = style(stdout, globals.ansi, environment);
  const width = Math.max(...checks.map(({ title }) => title.length));
  return checks
    .map(({ status, title, found, advice }) => {
      const line = `${paint(colors[status], status.padEnd(4))}  ${title.padEnd(width)}  ${found}\n`;
      return advice ? `${line}${' '.repeat(6)}${advice}\n` : line;
    })
    .join('');
}

function summary({ ok, warn, fail }: Record<CheckStatus, number>): string {
  const warnings = `${warn} ${warn === 1 ? 'warning' : 'warnings'}`;
  if (fail > 0) return `${fail} of ${ok + warn + fail} checks failed, ${warnings}.`;
  return `This machine can run stacks: ${ok + warn} checks, ${warnings}.`;
}
