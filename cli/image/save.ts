import { once } from 'node:events';
import { Option } from 'commander';
import { parseReference } from '../../engine/images/images.ts';
import type { SavedImage } from '../../engine/images/save.ts';
import { StackError } from '../../schemas/errors.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import { interruptible } from '../apply.ts';
import { define } from '../command.ts';
import { writeFile } from '../write-file.ts';
import { openImages } from './open.ts';

export const save = define<{ output?: string; format: 'docker-archive' | 'oci-archive' }>({
  usage: 'save IMAGE...',
  summary: 'Write images into an archive',
  examples: [
    ['stack image save -o redis.tar redis:7 nginx', 'Write two images that docker and podman load.'],
    ['stack image save --format oci-archive redis:7 | zstd > redis.tar.zst', 'Write a compressed OCI archive.'],
  ],
  options(command) {
    command
      .option('-o, --output <file>', 'file to write; without, standard output')
      .addOption(
        new Option('--format <format>', 'what is in the archive')
          .choices(['docker-archive', 'oci-archive'])
          .default('docker-archive'),
      );
  },
  async action(context, names, { output, format }) {
    const { stdout } = context;
    if (output === undefined && stdout.isTTY) {
      throw new StackError('usage', {
        message: 'Standard output is a terminal: an archive is not written there.',
        hint: 'Name a file with -o, or send it on.',
      });
    }
    const [images, { save }] = await Promise.all([openImages(context), import('../../engine/images/save.ts')]);
    using hold = images.hold();
    const wanted: SavedImage[] = [];
    for (const name of names) {
      const image = await hold.use(name);
      wanted.push({ image, names: nameIn(image, name) });
    }
    await interruptible(async (signal) => {
      const archive = save(images.store, wanted, format, signal);
      if (output !== undefined) return writeFile(output, archive);
      for await (const chunk of archive) if (!stdout.write(chunk)) await once(stdout, 'drain');
    });
  },
});

/** The name it was asked for by; none for an id. */
function nameIn(image: StoredImage, text: string): string[] {
  try {
    const { name } = parseReference(text);
    return image.names.includes(name) ? [name] : [];
  } catch {
    return [];
  }
}
