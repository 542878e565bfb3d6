import { define } from '../command.ts';
import { isTemplate, template } from '../render/template.ts';
import { imageDocument } from './format.ts';
import { inTurn, openImages } from './open.ts';

export const inspect = define<{ format?: string }>({
  usage: 'inspect IMAGE...',
  summary: 'Print everything known about images, as JSON',
  dryRun: 'harmless',
  examples: [
    ['stack image inspect redis:7', 'Print its configuration, layers and digests.'],
    ["stack image inspect -f '{{json .Config.Env}}' redis:7", 'Print one part of it.'],
  ],
  options(command) {
    command.option('-f, --format <format>', 'json, or a Go template');
  },
  async action(context, names, { format }) {
    const images = await openImages(context);
    const render = format !== undefined && isTemplate(format) ? template(format) : undefined;
    const documents: object[] = [];
    try {
      await inTurn(names, async (name) => {
        documents.push(imageDocument(images.inspect(name)));
      });
    } finally {
      // Docker prints what it found before it tells what it did not.
      if (render) context.stdout.write(documents.map((document) => `${render(document)}\n`).join(''));
      else if (format === 'json') context.stdout.write(`${JSON.stringify(documents)}\n`);
      else context.stdout.write(`${JSON.stringify(documents, null, 4)}\n`);
    }
  },
});
