import type { Containers } from '../engine/containers/containers.ts';
import type { ContainerRecord } from '../schemas/container.ts';
import { StackError } from '../schemas/errors.ts';
import { apply } from './apply.ts';
import { define } from './command.ts';
import { findContainers, openStack } from './containers.ts';
import { projectOrRecords } from './project.ts';
import { renderer } from './render/render.ts';

export const wait = define<{ downProject?: boolean }>({
  usage: 'wait <SERVICE...>',
  summary: 'Wait until containers have ended, and end with the exit code of the last',
  dryRun: 'harmless',
  examples: [['stack wait tests', 'Return once tests has ended, with its exit code.']],
  options(command) {
    command.option('--down-project', 'take the stack down then');
  },
  async action(context, services, { downProject }) {
    const { engine, stack } = await openStack(context);
    const found = await findContainers(engine, stack, services, { withOneOff: true });
    if (found.length === 0) {
      throw new StackError('config.no-container', {
        message: `No containers for stack ${stack.name}.`,
        hint: 'Start it with `stack up -d`.',
      });
    }
    const containers = await engine.containers();
    let exitCode = 0;
    await Promise.all(
      found.map(async ({ record }) => {
        exitCode = await ended(containers, record);
        context.stdout.write(`container "${record.id}" exited with status code ${exitCode}\n`);
      }),
    );
    if (downProject && !context.globals.dryRun) {
      const show = renderer(context);
      const { project, disabledServices } = await projectOrRecords(context, engine, show.emit);
      const options = { action: 'down' as const, removeOrphans: true, disabledServices };
      await apply(context, engine, project, options, { command: 'stack wait' }, show);
    }
    return exitCode;
  },
});

/** Resolves when nothing of it runs, though it may be restarted: as docker waits. One that never ran is at its end. */
function ended(containers: Containers, record: ContainerRecord): Promise<number> {
  return new Promise((resolve) => {
    const watching = containers.watch(record, ({ state, exitCode }) => {
      if (state === 'running' || state === 'paused') return;
      queueMicrotask(() => watching[Symbol.dispose]());
      resolve(state === 'created' ? 0 : exitCode);
    });
  });
}
