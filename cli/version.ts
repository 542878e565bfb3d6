import { Option } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { define } from './command.ts';

interface Flags {
  short?: boolean;
  format: 'pretty' | 'json';
}

export const version = define<Flags>({
  usage: 'version',
  summary: 'Show the version of Stack',
  dryRun: 'harmless',
  examples: [['stack version --short', 'Print the number alone.']],
  options(command) {
    command.option('--short', 'print the number alone');
    command.addOption(
      new Option('-f, --format <format>', 'output format').choices(['pretty', 'json']).default('pretty'),
    );
  },
  async action({ stdout }, _, flags) {
    const number = packageJson.version;
    if (flags.short) stdout.write(`${number}\n`);
    else if (flags.format === 'json') stdout.write(`${JSON.stringify({ version: number })}\n`);
    else stdout.write(`Stack version ${number}\n`);
  },
});
