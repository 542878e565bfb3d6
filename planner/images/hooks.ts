/** Images that a service needs besides its own. */
import type { Service } from '../../schemas/project.ts';

/** Of its init containers (`pre_start`), without repetitions. */
export function hookImages({ image: own, pre_start = [] }: Service): string[] {
  const images = pre_start.flatMap(({ image }) => (image && image !== own ? [image] : []));
  return [...new Set(images)];
}
