import { define } from '../command.ts';
import { inTurn } from '../image/open.ts';
import { isTemplate, template } from '../render/template.ts';
import { volumeDocument } from './format.ts';
import { existing, openVolumes } from './open.ts';

export const inspect = define<{ format?: string }>({
  usage: 'inspect VOLUME...',
  summary: 'Print everything known about volumes, as JSON',
  dryRun: 'harmless',
  examples: [
    ['stack volume inspect data', 'Print its options, labels and where its content lies.'],
    ["stack volume inspect -f '{{.Mountpoint}}' data", 'Print one part of it.'],
  ],
  options(command) {
    command.option('-f, --format <format>', 'json, or a Go template');
  },
  async action(context, names, { format }) {
    const volumes = await openVolumes(context);
    const render = format !== undefined && isTemplate(format) ? template(format) : undefined;
    const documents: object[] = [];
    try {
      await inTurn(names, async (name) => {
        documents.push(volumeDocument(existing(volumes, name)));
      });
    } finally {
      // Docker prints what it found before it tells what it did not.
      if (render) context.stdout.write(documents.map((document) => `${render(document)}\n`).join(''));
      else if (format === 'json') context.stdout.write(`${JSON.stringify(documents)}\n`);
      else context.stdout.write(`${JSON.stringify(documents, null, 4)}\n`);
    }
  },
});
