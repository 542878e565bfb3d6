import { StackError } from '../../schemas/errors.ts';
import { define } from '../command.ts';
import { list } from '../render/output.ts';
import { visible } from '../render/visible.ts';
import { openImages } from './open.ts';

export const diff = define<{ format: string }>({
  usage: 'diff IMAGE [IMAGE]',
  summary: 'List what was added (A), changed (C) and deleted (D) between two images, or since the base of one',
  examples: [
    ['stack image diff redis:7.2 redis:7.4', 'Compare the files of two images.'],
    ['stack image diff team/app:1', 'Show what an image adds to the image it was made from.'],
  ],
  options(command) {
    command.option('--format <format>', 'table, json, or a Go template', 'table');
  },
  async action(context, [first = '', second], { format }) {
    const [host, images, { diff, baseOf }] = await Promise.all([
      context.host(),
      openImages(context),
      import('../../engine/images/diff.ts'),
    ]);
    using hold = images.hold();
    const image = await hold.use(first);
    const before = second === undefined ? baseOf(image, images.list()) : image;
    const after = second === undefined ? image : await hold.use(second);
    if (!before) {
      throw new StackError('image.not-found', {
        message: `The image that ${first} was made from is not on this machine.`,
        hint: `Name it: \`stack image diff BASE ${first}\`.`,
        resource: `image ${first}`,
      });
    }
    const rows = diff(host.kernel.filesystem, before.layers, after.layers).map(({ kind, path }) => ({
      Type: kind,
      Path: printable(path),
    }));
    if (format === 'table') context.stdout.write(rows.map(({ Type, Path }) => `${Type} ${Path}\n`).join(''));
    else
      context.stdout.write(
        list(rows, format, [
          { title: 'CHANGE TYPE', field: 'Type' },
          { title: 'PATH', field: 'Path' },
        ]),
      );
  },
});

/** A name must not write to the terminal: control characters and bytes that are no text are shown as escapes. */
function printable(path: string): string {
  return visible(path).replace(/[\x00-\x1f\x7f\ud800-\udfff]/g, (char) => {
    const code = char.charCodeAt(0);
    return `\\x${(code >= 0xdc00 ? code - 0xdc00 : code).toString(16).padStart(2, '0')}`;
  });
}
