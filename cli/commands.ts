/** Every command by name. A command's module is imported when it is the one asked for. */
import type { Define } from './command.ts';

interface Entry {
  summary: string;
  load(): Promise<Define>;
}

export const commands: Record<string, Entry> = {
  config: {
    summary: 'Print the stack file as Stack understands it',
    load: async () => (await import('./config.ts')).config,
  },
  version: { summary: 'Show the version of Stack', load: async () => (await import('./version.ts')).version },
};

/** Commands of docker compose that Stack does not have yet. */
export const laterCommands = new Set(
  (
    'attach bridge build commit convert cp create events export images ls pause port publish pull push rm scale stats ' +
    'top unpause volumes wait watch'
  ).split(' '),
);
