import { define } from '../command.ts';
import { inTurn } from '../image/open.ts';
import { isTemplate, template } from '../render/template.ts';
import { networkDocument } from './format.ts';
import { findNetwork, openNetworks } from './open.ts';

export const inspect = define<{ format?: string; verbose?: boolean }>({
  usage: 'inspect NETWORK...',
  summary: 'Print everything known about networks, as JSON',
  examples: [
    ['stack network inspect demo_default', 'Print its subnets, options and containers.'],
    ["stack network inspect -f '{{json .Containers}}' demo_default", 'Print one part of it.'],
  ],
  options(command) {
    command
      .option('-f, --format <format>', 'json, or a Go template')
      .option('-v, --verbose', 'as docker takes it; there is no more to tell');
  },
  async action(context, names, { format }) {
    const opened = await openNetworks(context);
    const render = format !== undefined && isTemplate(format) ? template(format) : undefined;
    const documents: object[] = [];
    try {
      await inTurn(names, async (name) => {
        documents.push(networkDocument(findNetwork(opened, name), opened.containers));
      });
    } finally {
      // Docker prints what it found before it tells what it did not.
      if (render) context.stdout.write(documents.map((document) => `${render(document)}\n`).join(''));
      else if (format === 'json') context.stdout.write(`${JSON.stringify(documents)}\n`);
      else context.stdout.write(`${JSON.stringify(documents, null, 4)}\n`);
    }
  },
});
