/** Hooks that devices of CDI bring, for the container's program, with the state document they read. */
import type { ContainerRecord } from '../../schemas/container.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import type { Grants } from '../devices/devices.ts';
import { hookSteps } from '../runtime/oci/hooks.ts';
import type { ContainerProcess, StateText } from '../runtime/program/process.ts';

/** @param directory the bundle. Source: runtime-spec runtime.md "State". */
export function deviceHooks(
  { hooks }: Grants,
  spec: RuntimeSpec,
  record: ContainerRecord,
  directory: string,
): Pick<ContainerProcess, 'hooks'> {
  if (hooks.createContainer.length + hooks.startContainer.length === 0) return {};
  const around = (status: string): StateText => {
    const { ociVersion, annotations } = spec;
    const head = JSON.stringify({ ociVersion, id: record.id, status }).slice(0, -1);
    const tail = JSON.stringify({ bundle: directory, annotations }).slice(1);
    return [`${head},"pid":`, `,${tail}`];
  };
  return {
    hooks: {
      createContainer: hookSteps(hooks.createContainer, directory, around('creating')),
      startContainer: hookSteps(hooks.startContainer, '/', around('created')),
    },
  };
}
