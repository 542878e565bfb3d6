/** `blkio_config` as `linux.resources.blockIO`. Source: compose-spec 05-services.md "blkio_config"; runtime-spec config-linux.md. */
import { StackError } from '../../schemas/errors.ts';
import type { BlockIo, Throttle } from '../../schemas/oci-runtime.ts';
import type { BlockIoConfig, BlockIoRate } from '../../schemas/project.ts';

/** Numbers of a device of the host by its path. */
export type FindDevice = (path: string, resource: string) => { major: number; minor: number };

/** @throws config.value for a weight the kernel does not take, and what `find` throws. */
export function blockIo(config: BlockIoConfig | undefined, find: FindDevice, resource: string): { blockIO?: BlockIo } {
  if (!config) return {};
  const where = `${resource}.blkio_config`;
  const numbers = (path: string, field: string) => {
    const { major, minor } = find(path, `${where}.${field}`);
    return { major, minor };
  };
  const rates = (field: Exclude<keyof BlockIoConfig, 'weight' | 'weight_device'>): Throttle[] | undefined =>
    config[field]?.map((one: BlockIoRate) => ({ ...numbers(one.path, field), rate: Number(one.rate) }));
  const made: BlockIo = {
    weight: config.weight && weight(config.weight, `${where}.weight`),
    weightDevice: config.weight_device?.map((one) => ({
      ...numbers(one.path, 'weight_device'),
      weight: weight(one.weight, `${where}.weight_device`),
    })),
    throttleReadBpsDevice: rates('device_read_bps'),
    throttleWriteBpsDevice: rates('device_write_bps'),
    throttleReadIOPSDevice: rates('device_read_iops'),
    throttleWriteIOPSDevice: rates('device_write_iops'),
  } as BlockIo;
  const given = Object.entries(made).filter(([, value]) => value !== undefined && value !== 0);
  return given.length > 0 ? { blockIO: Object.fromEntries(given) } : {};
}

function weight(value: number, resource: string): number {
  if (value >= 10 && value <= 1000) return value;
  throw new StackError('config.value', {
    message: `${resource}: ${value} is no weight`,
    hint: 'A weight is a number from 10 to 1000.',
    resource,
  });
}
