import { familiar } from '../../engine/images/images.ts';
import { define } from '../command.ts';
import { ago, shorten, timestamp } from '../render/human.ts';
import { list } from '../render/output.ts';
import { size } from '../render/words.ts';
import { openImages } from './open.ts';

interface Flags {
  quiet?: boolean;
  trunc: boolean;
  human: boolean | string;
  format: string;
}

export const history = define<Flags>({
  usage: 'history IMAGE',
  summary: 'Show how an image was made, the newest step first',
  dryRun: 'harmless',
  examples: [['stack image history --no-trunc redis:7', 'Show its steps with the whole of their commands.']],
  options(command) {
    command
      .option('-q, --quiet', 'print the ids alone')
      .option('--no-trunc', 'do not cut anything short')
      .option('-H, --human [value]', 'sizes and dates in readable form; false: in bytes and RFC 3339', true)
      .option('--format <format>', 'table, json, or a Go template', 'table');
  },
  async action(context, [name = ''], { quiet, trunc, human, format }) {
    const [images, { history }] = await Promise.all([openImages(context), import('../../engine/images/history.ts')]);
    const isHuman = human !== 'false';
    const rows = history(images.inspect(name)).map((step) => ({
      ID: step.id === undefined ? '<missing>' : trunc ? step.id.replace('sha256:', '').slice(0, 12) : step.id,
      CreatedAt: isHuman ? timestamp(step.created) : step.created,
      CreatedSince: isHuman ? ago(step.created, Date.now()) : step.created,
      CreatedBy: trunc ? shorten(step.createdBy.replace(/\s+/g, ' '), 45) : step.createdBy.replace(/[\t\n]/g, ' '),
      Size: isHuman ? size(step.size) : String(step.size),
      Comment: step.comment,
      Tags: step.names.map(familiar).join(', '),
    }));
    if (quiet) {
      context.stdout.write(rows.map(({ ID }) => `${ID}\n`).join(''));
      return;
    }
    context.stdout.write(
      list(rows, format, [
        { title: 'IMAGE', field: 'ID' },
        { title: 'CREATED', field: 'CreatedSince' },
        { title: 'CREATED BY', field: 'CreatedBy' },
        { title: 'SIZE', field: 'Size' },
        { title: 'COMMENT', field: 'Comment' },
      ]),
    );
  },
});
