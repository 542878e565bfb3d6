import type { Command } from 'commander';
import type { Launched } from '../../engine/runtime/launcher.ts';
import { create as createContainer } from '../../engine/runtime/oci/create.ts';
import { cleanUpAfter } from '../../engine/runtime/oci/destroy.ts';
import { remove } from '../../engine/runtime/oci/kill.ts';
import { afterStart } from '../../engine/runtime/oci/start.ts';
import { type Definition, integer } from './command.ts';
import { Foreground } from './foreground.ts';
import { writePid } from './pid-file.ts';

export { writePid } from './pid-file.ts';

interface Flags {
  bundle: string;
  config?: string;
  consoleSocket?: string;
  pidFile?: string;
  pivot: boolean;
  preserveFds: number;
  detach?: boolean;
  keep?: boolean;
}

function options(command: Command): void {
  command
    .option('-b, --bundle <dir>', 'the bundle: a directory with config.json', '.')
    .option('-f, --config <file>', 'instead of the bundle’s config.json')
    .option('--console-socket <path>', 'unix socket that takes the master of the terminal')
    .option('--pid-file <file>', 'write the pid of the container there')
    .option('--no-pivot', 'no pivot_root(2): for a root on the initial ramfs')
    .option('--no-new-keyring', 'accepted for compatibility: a container always has a session keyring of its own')
    .option('--preserve-fds <number>', 'hand this many descriptors from 3 on to the container', integer, 0);
}

export const create: Definition = {
  usage: 'create <container-id>',
  summary: 'Make a container from a bundle; it waits for start',
  options,
  async action(context, [id = ''], given) {
    const flags = given as unknown as Flags;
    const runtime = await context.runtime();
    const { state, launched } = await createContainer(runtime, id, {
      bundle: flags.bundle,
      config: flags.config,
      consoleSocket: flags.consoleSocket,
      preserveFds: flags.preserveFds,
      noPivot: !flags.pivot,
      isDetached: true,
    });
    launched.close();
    try {
      writePid(flags.pidFile, state.pid);
    } catch (error) {
      throw await cleanUpAfter(error, () => remove(runtime, id, true));
    }
  },
};

export const run: Definition = {
  usage: 'run <container-id>',
  summary: 'Make a container and start it',
  options(command) {
    options(command);
    command
      .option('-d, --detach', 'do not wait for its end')
      .option('--keep', 'do not delete it when it ends')
      .option('--no-subreaper', 'accepted for compatibility');
  },
  async action(context, [id = ''], given) {
    const flags = given as unknown as Flags;
    const runtime = await context.runtime();
    const isDetached = flags.detach ?? false;
    const foreground = new Foreground(runtime);
    let launched: Launched | undefined;
    let exitCode = 0;
    try {
      const created = await createContainer(runtime, id, {
        bundle: flags.bundle,
        config: flags.config,
        consoleSocket: flags.consoleSocket,
        preserveFds: flags.preserveFds,
        noPivot: !flags.pivot,
        isDetached,
        waits: !isDetached,
        startsItself: true,
        onTerminal: (fd) => foreground.takeTerminal(fd),
      });
      launched = created.launched;
      writePid(flags.pidFile, created.state.pid);
      foreground.listen();
      launched.proceed();
      await foreground.started(id, launched);
      await afterStart(runtime, created.state);
      if (!isDetached) exitCode = await foreground.ended(launched);
    } catch (error) {
      // Before it was created there is nothing of it; the id may be another's.
      throw launched ? await cleanUpAfter(error, () => remove(runtime, id, true)) : error;
    } finally {
      foreground.restore();
      launched?.close();
    }
    if (!isDetached && !flags.keep) await remove(runtime, id, true);
    return exitCode;
  },
};
