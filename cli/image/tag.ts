import { parseReference } from '../../engine/images/images.ts';
import { StackError } from '../../schemas/errors.ts';
import { define } from '../command.ts';
import { openImages } from './open.ts';

export const tag = define({
  usage: 'tag SOURCE TARGET',
  summary: 'Give an image another name',
  examples: [['stack image tag redis:7 localhost:5000/team/redis:stable', 'Name it for another registry.']],
  async action(context, [source = '', target = '']) {
    const reference = parseReference(target);
    if (reference.digest) {
      throw new StackError('image.reference', {
        message: `"${target}" has a digest: a name is given by a tag.`,
        hint: `Leave the digest out, as in ${target.replace(/@.*/, '')}:latest.`,
      });
    }
    const [images, { tag }] = await Promise.all([openImages(context), import('../../engine/images/tag.ts')]);
    await tag(images.store, images.get(source), reference.name);
  },
});
