import { collect, define } from '../command.ts';
import { confirm, inTurn } from '../image/open.ts';
import { size } from '../render/words.ts';
import { volumeFilter } from './filter.ts';
import { isAnonymous, openVolumes, removeVolume } from './open.ts';

export const prune = define<{ all?: boolean; force?: boolean; filter?: string[] }>({
  usage: 'prune',
  summary: 'Remove volumes that no container has: those without a name, or all',
  examples: [
    ['stack volume prune -f', 'Remove unused volumes that were made without a name, without asking.'],
    ['stack volume prune -a --filter label=stage=test', 'Remove all unused volumes with that label.'],
  ],
  options(command) {
    command
      .option('-a, --all', 'also those that have names')
      .option('-f, --force', 'do not ask')
      .option('--filter <filter>', 'all, label, label!: key=value (repeatable)', collect);
  },
  async action(context, _, { all = false, force = false, filter = [] }) {
    const volumes = await openVolumes(context);
    const isMeant = volumeFilter('prune', filter, (name) => volumes.users(name).length > 0);
    const takesNamed = all || filter.some((each) => each.startsWith('all='));
    const which = takesNamed ? 'all volumes' : 'anonymous volumes';
    if (!force && !(await confirm(context, `This will remove ${which} not used by at least one container.`))) return;
    const { measure } = await import('../../engine/images/measure.ts');
    const unused = volumes
      .list()
      .filter((record) => (takesNamed || isAnonymous(record)) && isMeant(record))
      .filter(({ name }) => volumes.users(name).length === 0);
    const removed: string[] = [];
    let bytes = 0;
    try {
      await inTurn(
        unused.map(({ name }) => name),
        async (name) => {
          const record = unused.find((one) => one.name === name)!;
          const held = measure(record.path);
          await removeVolume(context, volumes, record);
          removed.push(name);
          bytes += held;
        },
      );
    } finally {
      if (removed.length > 0) context.stdout.write(`Deleted Volumes:\n${removed.join('\n')}\n\n`);
      context.stdout.write(`Total reclaimed space: ${size(bytes)}\n`);
    }
  },
});
