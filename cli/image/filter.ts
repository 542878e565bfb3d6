/** `--filter` of `image ls` and `image prune`. Source: docker's reference of both commands. */
import type { Images } from '../../engine/images/images.ts';
import { familiar } from '../../engine/images/images.ts';
import { parseTime } from '../../engine/logs/time.ts';
import { StackError } from '../../schemas/errors.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';

type Test = (image: StoredImage) => boolean;

const known = {
  ls: ['dangling', 'reference', 'label', 'before', 'since', 'until'],
  prune: ['dangling', 'label', 'label!', 'until'],
};

/**
 * What an image must be. Filters of one key are alternatives, `label`s add up; of different keys all must hold.
 * @throws StackError `usage`, `image.not-found` for the image of before and since
 */
export function imageFilter(command: keyof typeof known, filters: string[], images: Pick<Images, 'get'>): Test {
  const tests = new Map<string, Test[]>();
  for (const text of filters) {
    const equals = text.indexOf('=');
    const key = equals < 0 ? text : text.slice(0, equals);
    if (equals < 0 || !known[command].includes(key)) {
      throw new StackError('usage', {
        message: `"${text}" is no filter of \`stack image ${command}\`.`,
        hint: `Known are ${known[command].join(', ')}, each followed by = and a value.`,
      });
    }
    tests.set(key, [...(tests.get(key) ?? []), test(key, text.slice(equals + 1), images)]);
  }
  return (image) =>
    [...tests].every(([key, all]) =>
      key.startsWith('label') ? all.every((one) => one(image)) : all.some((one) => one(image)),
    );
}

/** Of an image that `reference` filters found, docker lists only the names they match. */
export function matchingNames(filters: string[], image: StoredImage): StoredImage {
  const patterns = filters.flatMap((text) =>
    text.startsWith('reference=') ? [glob(text.slice('reference='.length))] : [],
  );
  if (patterns.length === 0) return image;
  return { ...image, names: image.names.filter((name) => patterns.some((pattern) => isMatch(pattern, name))) };
}

function test(key: string, value: string, images: Pick<Images, 'get'>): Test {
  switch (key) {
    case 'dangling': {
      if (!/^(true|false|1|0)$/.test(value)) throw invalid(key, value, 'true or false');
      const wanted = value === 'true' || value === '1';
      return ({ names }) => (names.length === 0) === wanted;
    }
    case 'reference': {
      const pattern = glob(value);
      return ({ names }) => names.some((name) => isMatch(pattern, name));
    }
    case 'label':
      return ({ config }) => hasLabel(config.config?.Labels ?? {}, value);
    case 'label!':
      return ({ config }) => !hasLabel(config.config?.Labels ?? {}, value);
    case 'until': {
      const time = Date.parse(parseTime(value));
      return (image) => created(image) < time;
    }
    default: {
      const limit = created(images.get(value));
      return (image) => (key === 'before' ? created(image) < limit : created(image) > limit);
    }
  }
}

/** ms since the epoch; an image that does not tell is as old as can be. */
export function created({ config }: StoredImage): number {
  return Date.parse(config.created ?? '') || 0;
}

function hasLabel(labels: Record<string, string>, text: string): boolean {
  const equals = text.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, text);
  return Object.hasOwn(labels, text.slice(0, equals)) && labels[text.slice(0, equals)] === text.slice(equals + 1);
}

/** With and without its tag, in the short form people write and whole. */
function isMatch(pattern: RegExp, name: string): boolean {
  return [familiar(name), name].some((one) => pattern.test(one) || pattern.test(one.replace(/[:@][^/]*$/, '')));
}

/** Go's path.Match: no star spans a slash. */
function glob(text: string): RegExp {
  const source = text
    .replace(/[.+^$(){}|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  try {
    return new RegExp(`^${source}$`);
  } catch {
    throw invalid('reference', text, 'a pattern');
  }
}

function invalid(key: string, value: string, what: string): StackError {
  return new StackError('usage', { message: `"${value}" is no value for the filter ${key}: it must be ${what}.` });
}
