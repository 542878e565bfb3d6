/** `stack image`: the images of this machine. One module: its commands are small and share their rendering. */
import { Option } from 'commander';
import type { ImageProgress } from '../engine/images/images.ts';
import { asStackError, StackError } from '../schemas/errors.ts';
import type { StoredImage } from '../schemas/oci-image.ts';
import { given, interruptible, tell } from './apply.ts';
import { type Context, define, defineGroup } from './command.ts';
import { imageDocument, imageEntries } from './image-format.ts';
import { push, referrers } from './image-registry.ts';
import { renderer } from './render/render.ts';
import { table } from './render/table.ts';

export async function openImages(context: Context) {
  const [host, { createImages }] = await Promise.all([context.host(), import('../engine/images/images.ts')]);
  return createImages(host);
}

/** Works on each of `names` as on an operation of a plan; all at once, and all failures are told. */
export async function each<T>(
  context: Context,
  kind: 'image.pull' | 'image.load' | 'image.push',
  names: string[],
  isQuiet: boolean,
  work: (name: string, onProgress: (progress: ImageProgress) => void, signal: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const globals = isQuiet ? { ...context.globals, progress: 'quiet' as const } : context.globals;
  const show = renderer({ ...context, globals });
  try {
    return await interruptible((signal) =>
      tell(
        show.emit,
        kind,
        names.map((name) => `image ${name}`),
        (index, onProgress) => work(names[index] as string, onProgress, signal),
      ),
    );
  } finally {
    await show.close();
  }
}

const pull = define<{ platform?: string; policy: 'always' | 'missing'; quiet?: boolean }>({
  usage: 'pull IMAGE...',
  summary: 'Download images',
  examples: [['stack image pull redis:7 nginx', 'Download two images at once.']],
  options(command) {
    command
      .option('--platform <platform>', 'such as linux/arm64; without, that of this machine')
      .addOption(
        new Option('--policy <policy>', 'when to ask the registry').choices(['always', 'missing']).default('always'),
      )
      .option('-q, --quiet', 'print the names alone');
  },
  async action(context, names, { platform, policy, quiet }) {
    const images = await openImages(context);
    const pulled = await each(context, 'image.pull', names, quiet === true, (name, onProgress, signal) =>
      images.pull(name, given({ platform, policy, onProgress, signal })),
    );
    for (const image of pulled) context.stdout.write(`${image.names[0] ?? image.id}\n`);
  },
});

const load = define<{ input?: string; platform?: string; quiet?: boolean }>({
  usage: 'load',
  summary: 'Read images from an archive of docker save or an OCI layout',
  examples: [
    ['stack image load -i redis.tar', 'Read an archive; it may be compressed.'],
    ['docker save redis:7 | stack image load', 'Read an archive from standard input.'],
  ],
  options(command) {
    command
      .option('-i, --input <file>', 'archive, or directory of an OCI layout; without, standard input')
      .option('--platform <platform>', 'which image of several, such as linux/arm64')
      .option('-q, --quiet', 'print the names alone');
  },
  async action(context, _, { input, platform, quiet }) {
    if (input === undefined && context.stdin.isTTY) {
      throw new StackError('usage', {
        message: 'There is no archive to load: standard input is a terminal.',
        hint: 'Name one with -i, or send it to standard input.',
      });
    }
    const images = await openImages(context);
    const [loaded = []] = await each(
      context,
      'image.load',
      [input ?? 'from standard input'],
      quiet === true,
      (_name, onProgress, signal) => images.load(input ?? context.stdin, given({ platform, onProgress, signal })),
    );
    for (const image of loaded) context.stdout.write(`Loaded image: ${image.names[0] ?? image.id}\n`);
  },
});

const ls = define<{ quiet?: boolean; format: 'table' | 'json'; trunc: boolean; digests?: boolean }>({
  usage: 'ls [IMAGE]',
  summary: 'List the images of this machine',
  examples: [['stack image ls --format json', 'Print one JSON object a line, with the fields of docker.']],
  options(command) {
    command
      .option('-q, --quiet', 'print the ids alone')
      .option('--digests', 'also show the digests')
      .option('--no-trunc', 'do not cut the ids short')
      .addOption(new Option('--format <format>', 'output format').choices(['table', 'json']).default('table'));
  },
  async action(context, [name], { quiet, format, trunc, digests }) {
    const images = await openImages(context);
    const entries = imageEntries(images.list(), Date.now(), !trunc).filter(
      ({ Repository, Tag }) => name === undefined || name === Repository || name === `${Repository}:${Tag}`,
    );
    const { stdout } = context;
    if (quiet) stdout.write([...new Set(entries.map(({ ID }) => `${ID}\n`))].join(''));
    else if (format === 'json') stdout.write(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    else {
      const digest = digests ? ['DIGEST'] : [];
      const rows = entries.map((entry) => [
        entry.Repository,
        entry.Tag,
        ...(digests ? [entry.Digest] : []),
        entry.ID,
        entry.CreatedSince,
        entry.Size,
      ]);
      stdout.write(table(['REPOSITORY', 'TAG', ...digest, 'IMAGE ID', 'CREATED', 'SIZE'], rows));
    }
  },
});

const rm = define<{ force?: boolean }>({
  usage: 'rm IMAGE...',
  summary: 'Remove images',
  examples: [['stack image rm redis:7', 'Remove a name, and the image with its last name.']],
  options(command) {
    command.option('-f, --force', 'say nothing where there is no such image');
  },
  async action(context, names, { force }) {
    const images = await openImages(context);
    const engine = await context.engine();
    const records = engine.stacks().flatMap((stack) => engine.observeContainers(stack).map(({ record }) => record));
    const usedBy = ({ id }: StoredImage) => records.filter(({ image }) => image.id === id).map((record) => record.name);
    for (const name of names) {
      try {
        const { untagged, deleted } = await images.remove(name, usedBy);
        for (const each of untagged) context.stdout.write(`Untagged: ${each}\n`);
        for (const each of deleted) context.stdout.write(`Deleted: ${each}\n`);
      } catch (error) {
        if (!force || asStackError(error).code !== 'image.not-found') throw error;
      }
    }
  },
});

const inspect = define({
  usage: 'inspect IMAGE...',
  summary: 'Print everything known about images, as JSON',
  examples: [['stack image inspect redis:7', 'Print its configuration, layers and digests.']],
  async action(context, names) {
    const images = await openImages(context);
    const documents = names.map((name) => imageDocument(images.inspect(name)));
    context.stdout.write(`${JSON.stringify(documents, null, 4)}\n`);
  },
});

export const image = defineGroup('image', 'Pull, push, load, list and remove images', [
  pull,
  push,
  load,
  ls,
  rm,
  inspect,
  referrers,
]);
