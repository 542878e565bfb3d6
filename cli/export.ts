import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { StackError } from '../schemas/errors.ts';
import { define, integer } from './command.ts';
import { oneContainer, openStack } from './containers.ts';
import { writeFile } from './write-file.ts';

interface Flags {
  index?: number;
  output?: string;
}

export const exportCommand = define<Flags>({
  usage: 'export SERVICE',
  summary: "Write a container's file system, without its volumes, as a tar",
  dryRun: 'told',
  examples: [['stack export -o web.tar web', 'Write the files of the container of web into a tar.']],
  options(command) {
    command
      .option('--index <number>', 'number of the container where the service has several', integer)
      .option('-o, --output <file>', 'file to write; without, standard output');
  },
  async action(context, [service = ''], { index, output }) {
    const { engine, stack } = await openStack(context);
    const { record } = await oneContainer(engine, stack, service, index, { isEnded: true });
    const { stdout, globals } = context;
    if (output === undefined && stdout.isTTY) {
      throw new StackError('usage', {
        message: 'Standard output is a terminal: an archive is not written there.',
        hint: 'Name a file with -o, or send it on.',
      });
    }
    if (globals.dryRun) {
      context.stderr.write(`Would export container ${record.name} to ${output ?? 'standard output'}.\n`);
      return;
    }
    const [{ ownFiles }, { treeTar }] = await Promise.all([
      import('../engine/containers/files/root.ts'),
      import('../engine/images/tree-tar.ts'),
    ]);
    const root = ownFiles(engine.host, record);
    try {
      const archive = treeTar(engine.host.kernel.filesystem, root, '');
      if (output !== undefined) return await writeFile(output, archive);
      for (const piece of archive) if (!stdout.write(piece)) await once(stdout, 'drain');
    } finally {
      closeSync(root);
    }
  },
});
