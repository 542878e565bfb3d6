import { once } from 'node:events';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { Option } from 'commander';
import { parseReference } from '../../engine/images/images.ts';
import type { SavedImage } from '../../engine/images/save.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import { interruptible } from '../apply.ts';
import { define } from '../command.ts';
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

/** There whole, or not at all. A pipe or device is written as it is. */
async function writeFile(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const isPlace = path.startsWith('/dev/');
  const temporary = isPlace ? path : `${path}.${process.pid}.tmp`;
  let fd: number | undefined;
  try {
    fd = openSync(temporary, isPlace ? 'w' : 'wx', 0o600);
    for await (const chunk of content) for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
    if (!isPlace) {
      fsyncSync(fd);
      renameSync(temporary, path);
    }
  } catch (thrown) {
    if (!isPlace) rmSync(temporary, { force: true });
    const isFull = (thrown as NodeJS.ErrnoException).code === 'ENOSPC';
    throw asStackError(thrown, isFull ? 'host.disk-full' : 'image.archive', {
      message: `${path} cannot be written: ${(thrown as Error).message}.`,
      hint: 'Nothing of it was kept.',
    });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
