/** SOURCE_DATE_EPOCH: the latest time in the image. Source: reproducible-builds.org, "SOURCE_DATE_EPOCH". */
import type { BuildSettings } from '../../../schemas/build.ts';
import type { Dockerfile } from '../../../schemas/dockerfile.ts';
import { StackError } from '../../../schemas/errors.ts';

/** Seconds since 1970, or undefined. @throws StackError `build.value` */
export function epochOf(
  tree: Dockerfile,
  { args }: Pick<BuildSettings, 'args'>,
  globals: Map<string, string>,
): number | undefined {
  const text = Object.hasOwn(args, 'SOURCE_DATE_EPOCH') ? args.SOURCE_DATE_EPOCH! : globals.get('SOURCE_DATE_EPOCH');
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new StackError('build.value', {
    message: `SOURCE_DATE_EPOCH is "${text}", which is no number of seconds since 1970.`,
    hint: 'For the time of the last commit: git log -1 --format=%ct.',
    where: { file: tree.file, line: 1, column: 1 },
  });
}
