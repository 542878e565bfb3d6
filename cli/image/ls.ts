import { collect, define } from '../command.ts';
import { type Column, list } from '../render/output.ts';
import { imageFilter, matchingNames } from './filter.ts';
import { type ImageEntry, imageEntries } from './format.ts';
import { openImages } from './open.ts';

interface Flags {
  all?: boolean;
  quiet?: boolean;
  format: string;
  trunc: boolean;
  digests?: boolean;
  filter?: string[];
}

export const ls = define<Flags>({
  usage: 'ls [IMAGE]',
  summary: 'List the images of this machine',
  dryRun: 'harmless',
  examples: [
    ['stack image ls --filter dangling=true', 'List the images that lost their names.'],
    ['stack image ls --format json', 'Print one JSON object a line, with the fields of docker.'],
    ["stack image ls --format '{{.Repository}}:{{.Tag}}'", 'Print the names alone.'],
  ],
  options(command) {
    command
      .option('-a, --all', 'all images; there are no hidden ones')
      .option('-q, --quiet', 'print the ids alone')
      .option('--digests', 'also show the digests')
      .option('--no-trunc', 'do not cut the ids short')
      .option('--filter <filter>', 'dangling, reference, label, before, since, until: key=value (repeatable)', collect)
      .option('--format <format>', 'table, json, or a Go template', 'table');
  },
  async action(context, [name], { quiet, format, trunc, digests, filter = [] }) {
    const images = await openImages(context);
    const filters = name === undefined ? filter : [...filter, `reference=${name}`];
    const found = images.list().filter(imageFilter('ls', filters, images));
    const entries = imageEntries(
      found.map((image) => matchingNames(filters, image)),
      Date.now(),
      !trunc,
    );
    if (quiet && format === 'table') {
      context.stdout.write([...new Set(entries.map(({ ID }) => `${ID}\n`))].join(''));
      return;
    }
    context.stdout.write(list(entries, format, columns(digests === true)));
  },
});

function columns(withDigests: boolean): Column<ImageEntry>[] {
  return [
    { title: 'REPOSITORY', field: 'Repository' },
    { title: 'TAG', field: 'Tag' },
    ...(withDigests ? [{ title: 'DIGEST', field: 'Digest' } as const] : []),
    { title: 'IMAGE ID', field: 'ID' },
    { title: 'CREATED', field: 'CreatedSince' },
    { title: 'SIZE', field: 'Size' },
  ];
}
