/** `stack image push` and `stack image referrers`: what speaks to registries besides pulling. */
import { Option } from 'commander';
import { StackError } from '../../schemas/errors.ts';
import { interruptible } from '../apply.ts';
import { define } from '../command.ts';
import { table } from '../render/table.ts';
import { size } from '../render/words.ts';
import { each, openImages } from './open.ts';

export const push = define<{ allTags?: boolean; quiet?: boolean }>({
  usage: 'push IMAGE...',
  summary: 'Upload images to their registries',
  dryRun: 'told',
  examples: [
    ['stack image push registry.example.com/team/api:7', 'Upload an image; what the registry has is not sent.'],
    ['stack image push -a registry.example.com/team/api', 'Upload every tag there is of it here.'],
  ],
  options(command) {
    command
      .option('-a, --all-tags', 'every tag of the repository that is here')
      .option('-q, --quiet', 'print the names alone');
  },
  async action(context, names, { allTags, quiet }) {
    const images = await openImages(context);
    const { familiar, parseReference } = await import('../../engine/images/images.ts');
    const tagsOf = (name: string): string[] => {
      const { registry, repository } = parseReference(name);
      const tags = images
        .list()
        .flatMap((image) => image.names)
        .filter((each) => each.startsWith(`${registry}/${repository}:`));
      if (tags.length > 0) return tags.sort();
      throw new StackError('image.not-found', {
        message: `There is no tag of ${familiar(`${registry}/${repository}`)} in the store.`,
        hint: '`stack image ls` lists what there is.',
      });
    };
    const wanted = allTags ? names.flatMap(tagsOf) : names;
    const pushed = await each(context, 'image.push', wanted.map(familiar), quiet === true, (name, onProgress, signal) =>
      images.push(name, { onProgress, signal }),
    );
    for (const [at, { digest, size: bytes }] of pushed.entries()) {
      const { tag = '', name } = parseReference(wanted[at] as string);
      context.stdout.write(quiet ? `${name}\n` : `${tag}: digest: ${digest} size: ${bytes}\n`);
    }
  },
});

export const referrers = define<{ artifactType?: string; format: 'table' | 'json' }>({
  usage: 'referrers IMAGE',
  summary: 'List what refers to an image at its registry: signatures, bills of materials',
  dryRun: 'harmless',
  examples: [['stack image referrers registry.example.com/team/api:7', 'List them with their types and digests.']],
  options(command) {
    command
      .option('--artifact-type <type>', 'only those of this media type')
      .addOption(new Option('--format <format>', 'output format').choices(['table', 'json']).default('table'));
  },
  async action(context, [name], { artifactType, format }) {
    const images = await openImages(context);
    const found = await interruptible((signal) => images.referrers(name as string, artifactType, signal));
    if (format === 'json') return void context.stdout.write(`${JSON.stringify(found, null, 4)}\n`);
    const rows = found.referrers.map((each) => [
      shown(each.artifactType ?? each.mediaType),
      each.digest,
      size(each.size),
    ]);
    context.stdout.write(table(['TYPE', 'DIGEST', 'SIZE'], rows));
  },
});

/** Words of a registry on a terminal. */
function shown(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 120);
}
