import { InvalidArgumentError, Option } from 'commander';
import { StackError } from '../schemas/errors.ts';
import { define, integer } from './command.ts';
import { oneContainer, openStack } from './containers.ts';

interface Flags {
  detachKeys: Buffer;
  index?: number;
  stdin: boolean;
  sigProxy: boolean;
}

export const attach = define<Flags>({
  usage: 'attach SERVICE',
  summary: 'Attach standard streams to the main process of a running container',
  examples: [
    ['stack attach web', 'Show what web writes from now on; Ctrl-C goes to it.'],
    ['stack attach --sig-proxy=false --no-stdin web', 'Only look; Ctrl-C ends the look.'],
  ],
  options(command) {
    command
      .option('--detach-keys <keys>', 'keys that detach from a terminal', detachKeys, detachKeys('ctrl-p,ctrl-q'))
      .option('--index <number>', 'number of the container where the service has several', integer)
      .option('--no-stdin', 'do not pass standard input')
      .option('--no-sig-proxy', 'do not pass signals on to the process')
      .addOption(new Option('--sig-proxy', 'pass signals on to the process').hideHelp());
  },
  async action(context, [service = ''], { detachKeys: keys, index, stdin: wantsStdin, sigProxy }) {
    const { engine, stack } = await openStack(context);
    const { record, status } = await oneContainer(engine, stack, service, index);
    if (status.state === 'paused') {
      throw new StackError('runtime.not-running', {
        message: `${record.name} is paused.`,
        hint: `\`stack unpause ${service}\` lets it go on.`,
        resource: `container ${record.name}`,
      });
    }
    const { stdin, stdout } = context;
    const hasStdin = wantsStdin && record.config.stdin_open === true;
    const isTty = record.isTty && hasStdin && stdin.isTTY === true && stdout.isTTY === true;
    const containers = await engine.containers();
    const session = await containers.attach(record, { stdin: hasStdin });
    const { pump } = await import('./session.ts');
    const { exitCode, isDetached } = await pump(session, context, isTty, { detachKeys: keys, passesSignals: sigProxy });
    return isDetached ? 0 : exitCode;
  },
});

/** `ctrl-p,ctrl-q`, `a`: bytes that a terminal sends for them. Source: docker's reference of `docker attach`. */
export function detachKeys(text: string): Buffer {
  const codes = text.split(',').map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
    if (control) return control.toUpperCase().charCodeAt(0) & 0x1f;
    if (key.length === 1 && key.charCodeAt(0) < 0x80) return key.charCodeAt(0);
    throw new InvalidArgumentError('It must be letters, or ctrl- and a letter, with commas between.');
  });
  return Buffer.from(codes);
}
