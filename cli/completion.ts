import { StackError } from '../schemas/errors.ts';
import { define } from './command.ts';
import { describedCommands, globalFlags } from './reference.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export const completion = define({
  usage: 'completion SHELL',
  summary: 'Print what lets bash, zsh or fish complete command lines of stack',
  dryRun: 'harmless',
  examples: [
    ['stack completion fish > ~/.config/fish/completions/stack.fish', 'Complete in every fish.'],
    ['source <(stack completion bash)', 'Complete in this bash from now on.'],
  ],
  async action({ stdout }, [shell = '']) {
    const { scripts } = await import('./completion-scripts.ts');
    const wanted = shells.find((each) => each === shell);
    if (!wanted) {
      throw new StackError('usage', {
        message: `"${shell}" is no shell known here.`,
        hint: `There are ${shells.join(', ')}.`,
      });
    }
    stdout.write(scripts[wanted](await describedCommands(), globalFlags()));
  },
});
