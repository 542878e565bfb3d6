import { collect, define } from '../command.ts';
import { confirm, inTurn } from '../image/open.ts';
import { networkFilter } from './filter.ts';
import { openNetworks, removeNetwork, usersOf } from './open.ts';

export const prune = define<{ force?: boolean; filter?: string[] }>({
  usage: 'prune',
  summary: 'Remove the networks that no container is on',
  examples: [['stack network prune -f --filter until=24h', 'Remove unused networks older than a day, without asking.']],
  options(command) {
    command
      .option('-f, --force', 'do not ask')
      .option('--filter <filter>', 'until, label, label!: key=value (repeatable)', collect);
  },
  async action(context, _, { force = false, filter = [] }) {
    const opened = await openNetworks(context);
    const isMeant = networkFilter('prune', filter, () => false);
    const warning = 'This will remove all custom networks not used by at least one container.';
    if (!force && !(await confirm(context, warning))) return;
    const unused = opened.networks.list().filter((record) => isMeant(record) && usersOf(opened, record).length === 0);
    const removed: string[] = [];
    try {
      await inTurn(
        unused.map(({ name }) => name),
        async (name) => {
          await removeNetwork(context, opened, unused.find((one) => one.name === name)!);
          removed.push(name);
        },
      );
    } finally {
      if (removed.length > 0) context.stdout.write(`Deleted Networks:\n${removed.join('\n')}\n\n`);
    }
  },
});
