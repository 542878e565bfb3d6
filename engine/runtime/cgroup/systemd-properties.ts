/** `linux.resources` as properties of a unit, so that systemd does not undo them. Source: systemd.resource-control(5). */
import type { Resources } from '../../../schemas/oci-runtime.ts';
import { runtimeDeviceRules } from '../devices.ts';
import type { Variant } from './dbus-wire.ts';
import { deviceList } from './device-list.ts';
import { numbersOf } from './figures.ts';
import { pidsMax } from './v1.ts';
import { cpuWeight } from './v2.ts';

export type Property = [name: string, value: Variant];

const unlimited = 2n ** 64n - 1n;

/** What systemd has words for; the rest is written into the files, as the unit is delegated. */
export function resourceProperties(resources: Resources, isUnified: boolean): Property[] {
  const { memory = {}, cpu = {}, pids } = resources;
  const found: Property[] = [];
  const bytes = (name: string, value: number | bigint | undefined) => {
    if (value) found.push(number(name, value < 0 ? unlimited : BigInt(value)));
  };
  if (isUnified) {
    bytes('MemoryMax', memory.limit);
    bytes('MemoryLow', memory.reservation);
    if (memory.swap && memory.swap < 0) bytes('MemorySwapMax', -1);
    else if (memory.swap && memory.limit && memory.limit > 0) {
      found.push(number('MemorySwapMax', BigInt(memory.swap) - BigInt(memory.limit)));
    }
    if (cpu.shares) found.push(number('CPUWeight', BigInt(cpuWeight(cpu.shares))));
    if (cpu.cpus) found.push(bits('AllowedCPUs', cpu.cpus));
    if (cpu.mems) found.push(bits('AllowedMemoryNodes', cpu.mems));
  } else {
    bytes('MemoryLimit', memory.limit);
    if (cpu.shares) found.push(number('CPUShares', BigInt(cpu.shares)));
  }
  if (cpu.period) found.push(number('CPUQuotaPeriodUSec', BigInt(cpu.period)));
  if (cpu.quota) found.push(number('CPUQuotaPerSecUSec', perSecond(cpu.quota, cpu.period || 100_000)));
  const most = pidsMax(pids?.limit);
  if (most !== undefined) found.push(number('TasksMax', most === 'max' ? unlimited : BigInt(most)));
  if (resources.devices) found.push(...deviceProperties(resources.devices));
  return found;
}

const number = (name: string, value: bigint): Property => [name, { signature: 't', value }];

/** Microseconds a second, in the steps of 10 ms that systemd counts in, never less than was asked for. */
function perSecond(quota: number, period: number): bigint {
  if (quota < 0) return unlimited;
  return BigInt(Math.ceil((quota * 1_000_000) / period / 10_000) * 10_000);
}

/** A bit for each number, the first in the lowest bit of the first byte. */
function bits(name: string, list: string): Property {
  const numbers = numbersOf(list);
  const mask = new Array<number>(Math.floor(Math.max(...numbers) / 8) + 1).fill(0);
  for (const one of numbers) mask[Math.floor(one / 8)]! |= 1 << (one % 8);
  return [name, { signature: 'ay', value: mask }];
}

/** Closed lists as systemd names devices; an open one it has no words for, so that all is left open to it. */
function deviceProperties(devices: NonNullable<Resources['devices']>): Property[] {
  const { allowsAll, exceptions } = deviceList(devices, runtimeDeviceRules);
  const policy = (value: string): Property => ['DevicePolicy', { signature: 's', value }];
  const allow = (value: string[][]): Property => ['DeviceAllow', { signature: 'a(ss)', value }];
  if (allowsAll) return [policy('auto'), allow([])];
  const named = [...exceptions].map(([key, access]) => {
    const [type, major, minor] = key.split(/[ :]/);
    const kind = type === 'b' ? 'block' : 'char';
    return [minor === '*' || major === '*' ? `${kind}-${major}` : `/dev/${kind}/${major}:${minor}`, access];
  });
  return [policy('strict'), allow([]), allow(named)];
}
