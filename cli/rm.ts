import { isUp } from '../planner/reconcile/builder.ts';
import { apply, given } from './apply.ts';
import { type Context, define } from './command.ts';
import { projectOrRecords } from './project.ts';
import { renderer } from './render/render.ts';

interface Flags {
  force?: boolean;
  stop?: boolean;
  volumes?: boolean;
}

export const rm = define<Flags>({
  usage: 'rm [SERVICE...]',
  summary: 'Remove containers that do not run',
  dryRun: 'told',
  examples: [
    ['stack rm', 'Remove what has ended, once you say yes.'],
    ['stack rm -fsv web', 'Stop the containers of web and remove them, with their anonymous volumes.'],
  ],
  options(command) {
    command
      .option('-f, --force', 'ask nothing')
      .option('-s, --stop', 'stop what runs, and remove it, too')
      .option('-v, --volumes', 'remove their anonymous volumes, too')
      .option('-a, --all', 'means nothing any more, as in docker compose');
  },
  async action(context, services, { force, stop, volumes: removeVolumes }) {
    const show = renderer(context);
    const engine = await context.engine();
    const { project, disabledServices } = await projectOrRecords(context, engine, show.emit, services);
    const isMeant = ({ service, isOneOff }: { service: string; isOneOff: boolean }) =>
      !isOneOff && (services.length === 0 ? Object.hasOwn(project.services, service) : services.includes(service));
    const going = engine
      .observeContainers(project.name)
      .filter((one) => isMeant(one.record) && (stop || !isUp(one)))
      .map(({ record }) => record.name);
    const isAsked = going.length > 0 && !force && !context.globals.dryRun;
    if (isAsked) {
      await show.close();
      if (!(await agreed(context, `Going to remove ${going.join(', ')}`))) return;
    }
    const containersOnly = stop ? ('all' as const) : ('stopped' as const);
    const options = given({ action: 'down' as const, services, removeVolumes, containersOnly, disabledServices });
    const after = isAsked ? renderer(context) : show;
    const { plan } = await apply(context, engine, project, options, { command: 'stack rm' }, after);
    if (plan.operations.length === 0) context.stderr.write('No stopped containers\n');
  },
});

/** Asks at the terminal, or takes the first line of what is piped in: `yes | stack rm`. No answer is no. */
async function agreed({ stdin, stderr }: Context, what: string): Promise<boolean> {
  const { createInterface } = await import('node:readline');
  const asking = createInterface({ input: stdin, output: stderr });
  const answer = await new Promise<string>((resolve) => {
    asking.question(`${what}\nAre you sure? [yN] `, resolve);
    asking.once('close', () => resolve(''));
  });
  asking.close();
  return /^y(es)?$/i.test(answer.trim());
}
