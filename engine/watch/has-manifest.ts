/** Whether a container is to be given anything before it starts: all that the many services without a watch pay. */
import { existsSync } from 'node:fs';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Host } from '../host.ts';

export const hasManifest = ({ layout }: Pick<Host, 'layout'>, { stack, service, isOneOff }: ContainerRecord): boolean =>
  !isOneOff && existsSync(`${layout.watchDir(stack)}/${service}.json`);
