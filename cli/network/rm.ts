import { asStackError } from '../../schemas/errors.ts';
import { define } from '../command.ts';
import { inTurn } from '../image/open.ts';
import { findNetwork, openNetworks, removeNetwork } from './open.ts';

export const rm = define<{ force?: boolean }>({
  usage: 'rm NETWORK...',
  summary: 'Remove networks that no container is on',
  examples: [['stack network rm shared', 'Remove one that `stack network create` made.']],
  options(command) {
    command.option('-f, --force', 'say nothing where there is no such network');
  },
  async action(context, names, { force = false }) {
    const opened = await openNetworks(context);
    await inTurn(names, async (name) => {
      try {
        await removeNetwork(context, opened, findNetwork(opened, name));
        context.stdout.write(`${name}\n`);
      } catch (error) {
        if (!force || asStackError(error).code !== 'network.not-found') throw error;
      }
    });
  },
});
