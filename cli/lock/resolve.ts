/** What a lock is made from: registries are asked for images, contexts read for builds. */
import { lockName, pulledImages } from '../../planner/lock/images.ts';
import { asStackError, type StackError } from '../../schemas/errors.ts';
import type { Lock, LockedImage } from '../../schemas/lock.ts';
import type { Service } from '../../schemas/project.ts';
import { interruptible } from '../apply.ts';
import type { Context } from '../command.ts';

/** Registries are asked about so many images at a time. */
const atOnce = 16;

/**
 * The lock of `services`. What `kept` says of them stays as it is, and what it says of others goes; everything else is looked
 * up. @throws StackError of the image group, the failures of other images in `also`; build.context, build.dockerfile
 */
export async function makeLock(
  context: Context,
  services: Record<string, Service>,
  path: string,
  kept: Lock,
): Promise<Lock> {
  const { buildInputs } = await import('../../engine/lock/inputs.ts');
  const inputs = buildInputs(services, path);
  const builds = Object.entries(inputs).map(([name, digest]) => {
    return [name, Object.hasOwn(kept.builds, name) ? kept.builds[name]! : { inputs: digest }] as const;
  });
  const names = [...new Set(pulledImages(services).map(lockName))];
  const images = new Map<string, LockedImage>();
  for (const name of names) if (Object.hasOwn(kept.images, name)) images.set(name, kept.images[name]!);
  const missing = names.filter((name) => !images.has(name));
  for (const [name, image] of await lookUp(context, missing)) images.set(name, image);
  return { version: 1, images: Object.fromEntries(images), builds: Object.fromEntries(builds) };
}

async function lookUp(context: Context, names: string[]): Promise<[string, LockedImage][]> {
  if (names.length === 0) return [];
  const [{ resolveVariants }, { readSettings }] = await Promise.all([
    import('../../engine/images/registry/variants.ts'),
    import('../../engine/settings.ts'),
  ]);
  const settings = await readSettings(context.environment);
  const found: [string, LockedImage][] = [];
  const errors: StackError[] = [];
  const waiting = names.values();
  await interruptible(async (signal) => {
    const worker = async () => {
      for (const name of waiting) {
        try {
          found.push([name, await resolveVariants(name, settings, signal)]);
        } catch (thrown) {
          errors.push(asStackError(thrown));
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  });
  const [first, ...others] = errors;
  if (!first) return found;
  first.also.push(...others);
  throw first;
}
