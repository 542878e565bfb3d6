/**
 * Value shapes shared by the whole stack file. The `error` of each says what was expected, for a message "expected …".
 * `zod/mini` because the stack file is read by every command: the full package costs 25 ms more at each start.
 */
import * as z from 'zod/mini';

export const text = z.string({ error: 'a string' });
export const integer = z.union([z.int(), text], { error: 'a whole number' });
export const number = z.union([z.number(), text], { error: 'a number' });
export const flag = z.union([z.boolean(), text], { error: 'true or false' });
export const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: 'a string, a number, true, false or nothing',
});
export const textOrNumber = z.union([z.string(), z.number()], { error: 'a string or a number' });

export const texts = z.array(text, { error: 'a list of strings' });
export const textOrList = z.union([text, texts], { error: 'a string or a list of strings' });
export const scalars = mapping(scalar);
/** `environment`, `labels` and the like: a mapping, or a list of `NAME=value`. */
export const listOrMapping = z.union([z.array(scalar), scalars], { error: 'a mapping or a list' });
export const options = mapping(z.union([z.string(), z.number(), z.null()], { error: 'a string or a number' }));
export const command = z.union([text, texts, z.null()], { error: 'a string or a list of strings' });

/** A mapping with any keys. */
export function mapping<T extends z.ZodMiniType>(value: T) {
  return z.record(z.string(), value, { error: 'a mapping' });
}

/** One wrapper for each type: a schema is costly to make, and most attributes share a few types. */
const wrappers = new Map<z.ZodMiniType, z.ZodMiniOptional<z.ZodMiniType>>();

function optional(type: z.ZodMiniType): z.ZodMiniOptional<z.ZodMiniType> {
  const wrapper = wrappers.get(type) ?? z.optional(type);
  wrappers.set(type, wrapper);
  return wrapper;
}

type Optional<S extends Record<string, z.ZodMiniType>> = { [K in keyof S]: z.ZodMiniOptional<S[K]> };

/** A mapping with these keys and no others but `x-…`; what is required is checked after merging, where it is known. */
export function attributes<S extends Record<string, z.ZodMiniType>>(shape: S) {
  const entries = Object.entries(shape).map(([key, type]) => [key, optional(type)]);
  return z.strictObject(Object.fromEntries(entries) as Optional<S>, { error: 'a mapping' });
}

/** The same, or nothing at all. */
export function nullable<T extends z.ZodMiniType>(type: T) {
  return z.union([type, z.null()], { error: 'a mapping' });
}

/** A list whose items are what `item` says. */
export function list<T extends z.ZodMiniType>(item: T) {
  return z.array(item, { error: 'a list' });
}

export function oneOf(...words: string[]) {
  return z.enum(words, { error: `one of ${words.join(', ')}` });
}
