import { once } from 'node:events';
import { InvalidArgumentError } from 'commander';
import { type LogRange, parseTime, readLogs } from '../engine/logs/logs.ts';
import { define, integer } from './command.ts';
import { findContainers } from './containers.ts';
import { StackFollower } from './follow.ts';
import { namedStack } from './project.ts';
import { LogPrinter } from './render/prefix.ts';
import { renderer } from './render/render.ts';
import { style } from './render/style.ts';

interface Flags {
  follow?: boolean;
  tail: number | 'all';
  since?: string;
  until?: string;
  timestamps?: boolean;
  color: boolean;
  logPrefix: boolean;
  index?: number;
}

export const logs = define<Flags>({
  usage: 'logs [SERVICE...]',
  summary: 'Show what containers wrote',
  dryRun: 'harmless',
  examples: [
    ['stack logs -f web', 'Show the log of web and go on with every new line.'],
    ['stack logs --since 10m --tail 100', 'Show at most 100 lines of each container from the last ten minutes.'],
  ],
  options(command) {
    command
      .option('-f, --follow', 'go on with every new line')
      .option('-n, --tail <lines>', 'only the last lines of each container, or all', tailLines, 'all')
      .option('--since <time>', 'only lines since a time (2026-11-23T12:00:00Z) or a while ago (10m)')
      .option('--until <time>', 'only lines before a time or a while ago')
      .option('-t, --timestamps', 'put the time in front of each line')
      .option('--no-color', 'do not colour the names')
      .option('--no-log-prefix', 'do not put names in front of the lines')
      .option('--index <number>', 'only the container of this number', integer);
  },
  async action(context, services, flags) {
    const { emit, close } = renderer(context);
    const stack = await namedStack(context, emit);
    await close();
    const engine = await context.engine();
    const found = await findContainers(engine, stack, services, { withOneOff: services.length > 0 });
    const isMeant = (number: number) => flags.index === undefined || number === flags.index;
    const containers = found.filter(({ record }) => isMeant(record.number));
    const range: LogRange = {
      since: flags.since === undefined ? undefined : parseTime(flags.since),
      until: flags.until === undefined ? undefined : parseTime(flags.until),
      tail: flags.tail === 'all' ? undefined : flags.tail,
    };
    const { stdout } = context;
    const look = style(stdout, flags.color ? context.globals.ansi : 'never', context.environment);
    const printer = new LogPrinter((bytes) => stdout.write(bytes), {
      style: look,
      withTime: flags.timestamps === true,
      withPrefix: flags.logPrefix,
    });
    printer.widen(containers.map(({ record }) => record));
    if (!flags.follow) {
      const sources = containers.map(({ record }) => ({
        record,
        id: record.id,
        directory: engine.host.layout.containerDir(record.stack, record.id),
      }));
      for (const { source, line } of readLogs(sources, range)) {
        printer.line(source.record, line);
        if (stdout.writableNeedDrain) await once(stdout, 'drain');
      }
      return 0;
    }
    if (containers.length === 0) return 0;
    using follower = new StackFollower(engine, await engine.containers(), stack.name, {
      select: (record) =>
        (services.length === 0 ? !record.isOneOff : services.includes(record.service)) && isMeant(record.number),
      range,
      onLine: (record, line) => printer.line(record, line),
      onAppear: (records) => printer.widen(records),
      onExit: (record, status) => printer.notice(record, `exited with code ${status.exitCode}`),
    });
    let exitCode = 0;
    const interrupt = () => {
      exitCode = 130;
      follower.stop();
    };
    process.once('SIGINT', interrupt);
    await follower.run();
    process.off('SIGINT', interrupt);
    return exitCode;
  },
});

function tailLines(value: string): number | 'all' {
  if (value === 'all') return value;
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('It must be a number of lines, or all.');
  return Number(value);
}
