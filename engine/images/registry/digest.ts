/** The digest an image's tag has now, without pulling anything. */
import { createHash } from 'node:crypto';
import { asStackError, StackError } from '../../../schemas/errors.ts';
import type { Settings } from '../../../schemas/settings.ts';
import { familiar, parseReference, type Reference } from '../reference.ts';
import { endpoints } from './endpoint.ts';
import { defaultTiming, Registry } from './registry.ts';

/**
 * `sha256:…` of the manifest or index `image` names, asked of its mirrors and then of its registry.
 * @throws StackError of the image group: of the registry itself, those of the mirrors in `also`
 */
export async function resolveDigest(image: string, settings: Settings, signal: AbortSignal): Promise<string> {
  const reference = parseReference(image);
  if (reference.digest) return reference.digest;
  return firstEndpoint(reference, settings, signal, async (registry) => {
    const announced = await registry.digestOf(reference.tag!);
    if (announced !== undefined && /^sha256:[0-9a-f]{64}$/.test(announced)) return announced;
    const { content } = await registry.manifest(reference.tag!);
    return `sha256:${createHash('sha256').update(content).digest('hex')}`;
  });
}

/** What the first mirror, or else the registry, answers that can. Throws as {@link resolveDigest}. */
export async function firstEndpoint<T>(
  reference: Reference,
  settings: Settings,
  signal: AbortSignal,
  ask: (registry: Registry) => Promise<T>,
): Promise<T> {
  const shown = familiar(reference.name);
  const errors: StackError[] = [];
  for (const endpoint of endpoints(reference, settings)) {
    try {
      using registry = new Registry(endpoint, shown, signal, defaultTiming);
      return await ask(registry);
    } catch (thrown) {
      errors.push(asStackError(thrown));
    }
  }
  const last = errors.pop() ?? new StackError('internal', { message: `No registry has ${shown}.` });
  last.also.push(...errors);
  throw last;
}
