import { define } from '../command.ts';
import { inTurn } from '../image/open.ts';
import { existing, openVolumes, removeVolume } from './open.ts';

export const rm = define<{ force?: boolean }>({
  usage: 'rm VOLUME...',
  summary: 'Remove volumes with everything in them',
  examples: [
    ['stack volume rm demo_data', 'Remove a volume that no container has.'],
    ['stack volume rm -f demo_data', 'Say nothing where there is no such volume.'],
  ],
  options(command) {
    command.option('-f, --force', 'say nothing where there is no such volume');
  },
  async action(context, names, { force = false }) {
    const volumes = await openVolumes(context);
    await inTurn(names, async (name) => {
      if (!force || volumes.get(name)) await removeVolume(context, volumes, existing(volumes, name));
      context.stdout.write(`${name}\n`);
    });
  },
});
