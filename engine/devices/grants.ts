/** What devices bring into a container, whoever described them. */
import type { Device, DeviceRule, Hook, Mount } from '../../schemas/oci-runtime.ts';

export interface Grants {
  nodes: Device[];
  rules: DeviceRule[];
  /** `NAME=value` */
  env: string[];
  mounts: Mount[];
  /** Run inside the container's namespaces. */
  hooks: { createContainer: Hook[]; startContainer: Hook[] };
  additionalGids: number[];
}

export const noGrants = (): Grants => ({
  nodes: [],
  rules: [],
  env: [],
  mounts: [],
  hooks: { createContainer: [], startContainer: [] },
  additionalGids: [],
});

/** All of them together; of two nodes of one path the last counts. */
export function joinGrants(all: Partial<Grants>[]): Grants {
  const joined = noGrants();
  for (const one of all) {
    joined.nodes.push(...(one.nodes ?? []));
    joined.rules.push(...(one.rules ?? []));
    joined.env.push(...(one.env ?? []));
    joined.mounts.push(...(one.mounts ?? []));
    joined.hooks.createContainer.push(...(one.hooks?.createContainer ?? []));
    joined.hooks.startContainer.push(...(one.hooks?.startContainer ?? []));
    joined.additionalGids.push(...(one.additionalGids ?? []));
  }
  joined.nodes = [...new Map(joined.nodes.map((node) => [node.path, node])).values()];
  joined.env = [...new Set(joined.env)];
  return joined;
}
