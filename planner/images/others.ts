/** Images that a service needs besides its own. */
import type { Service } from '../../schemas/project.ts';

/** Of its init containers (`pre_start`) and of its mounts, without repetitions. */
export function otherImages({ image: own, pre_start = [], volumes = [] }: Service): string[] {
  const mounted = volumes.flatMap(({ type, source }) => (type === 'image' && source ? [source] : []));
  const images = [...pre_start.flatMap(({ image }) => image ?? []), ...mounted];
  return [...new Set(images)].filter((image) => image !== own);
}
