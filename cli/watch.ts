import { Option } from 'commander';
import { StackError } from '../schemas/errors.ts';
import { signalExitCode } from '../schemas/signals.ts';
import { apply, given } from './apply.ts';
import { type Context, define } from './command.ts';
import { loadSupported } from './project.ts';
import { renderer } from './render/render.ts';
import { onEndingSignal } from './signals.ts';

interface Flags {
  /** Commander's negated flag: false where given. */
  up: boolean;
  quiet?: boolean;
}

export const watch = define<Flags>({
  usage: 'watch [SERVICE...]',
  summary: 'Follow files as `develop.watch` says: copy, restart, rebuild',
  examples: [
    ['stack watch', 'Start the stack, build what changed, and follow its files until Ctrl-C; the stack runs on.'],
    ['stack watch --no-up web', 'Follow the files of web alone, and start nothing.'],
  ],
  options(command) {
    command
      .option('--no-up', 'do not build and start the services first')
      .option('--quiet', 'print warnings and errors only')
      .addOption(new Option('--prune', 'has no effect: `stack gc` makes room').hideHelp());
  },
  async action(context, services, flags) {
    const lineByLine = byLine(context);
    const show = renderer(lineByLine);
    const engine = await context.engine();
    const [{ ReadFiles }, { rulesOf }] = await Promise.all([
      import('./watch/configuration.ts'),
      import('./watch/rules.ts'),
    ]);
    const read = new ReadFiles();
    const loaded = await loadSupported(context, show.emit, services, { onRead: read.add });
    const rules = await rulesOf(loaded, services, show.emit, read.add);
    if (rules.length === 0) throw nothingToWatch(services);
    const options = { action: 'up' as const, services, disabledServices: Object.keys(loaded.disabled) };
    if (flags.up)
      await apply(lineByLine, engine, loaded.project, { ...options, build: true }, { command: 'stack watch' });
    const { WatchSession } = await import('./watch/session.ts');
    const isQuiet = flags.quiet === true;
    const stack = { loaded, rules, read, services, options, emit: show.emit, isQuiet };
    const ended = Promise.withResolvers<number>();
    using _listening = onEndingSignal((signal) => ended.resolve(signalExitCode(signal)));
    await using session = new WatchSession(context, engine, stack);
    await session.begin();
    return await ended.promise;
  },
});

/** Lines come for as long as it runs: a list that is redrawn would draw over them. */
export function byLine(context: Context): Context {
  const { progress } = context.globals;
  if (progress === 'json' || progress === 'quiet') return context;
  return Object.defineProperties(
    { globals: { ...context.globals, progress: 'plain' } } as Context,
    given({ ...Object.getOwnPropertyDescriptors(context), globals: undefined }) as PropertyDescriptorMap,
  );
}

const nothingToWatch = (services: string[]) =>
  new StackError('usage', {
    message: `${services.length > 0 ? services.join(', ') : 'The stack'}: there is no rule to watch by.`,
    hint: 'Add develop: {watch: [{path: ./src, target: /app/src, action: sync}]} to a service.',
  });
