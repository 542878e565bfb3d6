/** `stack up` without -d: shows the logs until every container ended, or Ctrl-C stops them. */
import type { Applied, Engine } from '../engine/engine.ts';
import type { ContainerRecord, ContainerState } from '../schemas/container.ts';
import type { Project } from '../schemas/project.ts';
import { type EndingSignal, signalExitCode } from '../schemas/signals.ts';
import { apply, given } from './apply.ts';
import type { Context } from './command.ts';
import { StackFollower } from './follow.ts';
import { LogPrinter, shortName } from './render/prefix.ts';
import { style } from './render/style.ts';
import { onEndingSignal } from './signals.ts';
import type { UpFlags } from './up.ts';

interface ForegroundOptions {
  services: string[];
  flags: UpFlags;
  /** ISO 8601: what was written before this command began belongs to an earlier one. */
  startedAt: string;
  /** Ends what else works on the stack, before it is stopped. */
  beforeStop?: () => Promise<void>;
}

const SIGKILL = 9;

export async function foreground(
  context: Context,
  engine: Engine,
  project: Project,
  applied: Applied,
  { services, flags, startedAt, beforeStop = async () => {} }: ForegroundOptions,
): Promise<number> {
  const { stdout, stderr, globals, environment } = context;
  const containers = await engine.containers();
  // What the services named need goes on by itself: it may have run before, and be needed by others.
  const concerned = new Set(services.length > 0 ? services : Object.keys(project.services));
  const shown = shownServices(project, services, flags);
  const isWatched = (record: ContainerRecord) =>
    !record.isOneOff && (concerned.has(record.service) || shown.has(record.service));
  const printer = new LogPrinter((bytes) => stdout.write(bytes), {
    style: style(stdout, flags.color ? globals.ansi : 'never', environment),
    withTime: flags.timestamps === true,
    withPrefix: flags.logPrefix,
  });
  let exitCode = 0;
  let stopping: Promise<unknown> | undefined;
  let killing: Promise<unknown> | undefined;
  const ending = new AbortController();
  // With --abort-on-container-failure the exit code of a service is waited for, unless another one fails.
  const isAborting = flags.abortOnContainerExit || (flags.exitCodeFrom !== undefined && !flags.abortOnContainerFailure);

  // Log lines go on meanwhile, and would be drawn over by a list.
  const isLine = globals.progress === 'json' || globals.progress === 'quiet';
  const lineByLine: Context = isLine ? context : { ...context, globals: { ...globals, progress: 'plain' } };
  const stop = () => {
    const options = given({ action: 'stop' as const, services: [...concerned], timeoutMs: flags.timeout });
    const how = { command: 'stack up', signal: ending.signal };
    stopping ??= beforeStop()
      .then(() => apply(lineByLine, engine, project, options, how))
      .finally(() => {
        // Killed ones end by themselves, and their ends are still to be told.
        if (!killing) follower.stop();
      });
    stopping.catch(() => {});
  };
  using follower = new StackFollower(engine, containers, project.name, {
    select: isWatched,
    range: { since: `${startedAt.slice(0, -1)}000000Z` },
    endsSince: startedAt,
    onAppear: (records) => printer.widen(records),
    onLine: (record, line) => {
      if (shown.has(record.service)) printer.line(record, line);
    },
    onExit: (record, status) => {
      printer.notice(record, `exited with code ${status.exitCode}`);
      const isFailure = flags.abortOnContainerFailure === true && status.exitCode !== 0;
      if (flags.exitCodeFrom === record.service) exitCode = status.exitCode;
      if ((!isAborting && !isFailure) || stopping) return;
      if (flags.exitCodeFrom === undefined) exitCode = status.exitCode;
      stderr.write(`Aborting on container exit...\n`);
      stop();
    },
  });

  const kill = async (record: ContainerRecord) => {
    if (!isOver(containers.status(record).state)) await containers.kill(record, SIGKILL);
  };
  const interrupt = (signal: EndingSignal) => {
    exitCode = signalExitCode(signal);
    if (killing) process.exit(exitCode);
    if (stopping) {
      ending.abort();
      killing = Promise.allSettled(applied.containers.filter(({ service }) => concerned.has(service)).map(kill));
      return;
    }
    stderr.write('Gracefully stopping... (press Ctrl+C again to force)\n');
    stop();
  };
  using _listening = onEndingSignal(interrupt);
  const names = applied.containers.filter((record) => isWatched(record) && shown.has(record.service)).map(shortName);
  stderr.write(`Attaching to ${names.join(', ')}\n`);
  await follower.run();
  await killing;
  if (!killing) await stopping;
  return exitCode;
}

function isOver(state: ContainerState): boolean {
  return state === 'exited' || state === 'dead';
}

/** Whose logs are shown: the services named, or all, as --attach and --no-attach change it. */
function shownServices(project: Project, services: string[], flags: UpFlags): Set<string> {
  const all = Object.keys(project.services);
  const named = services.length > 0 && !flags.attachDependencies ? services : all;
  const wanted = named.filter((name) => project.services[name]?.attach !== false);
  const shown = new Set(flags.attach ?? wanted);
  for (const name of flags.noAttach ?? []) shown.delete(name);
  return shown;
}
