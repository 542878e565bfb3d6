/** A container's cgroup as a transient unit of systemd. Source: org.freedesktop.systemd1(5). */
import { StackError } from '../../../schemas/errors.ts';
import type { Resources } from '../../../schemas/oci-runtime.ts';
import { type Bus, BusError, openBus, systemBus } from './dbus.ts';
import { type Hierarchies, hierarchies } from './hierarchies.ts';
import { systemdUnit } from './path.ts';
import { type Property, resourceProperties } from './systemd-properties.ts';

export interface UnitRequest {
  /** `linux.cgroupsPath` as written: `slice:prefix:name`. */
  asked: string | undefined;
  id: string;
  resources: Resources;
  /** The processes to begin with; a scope needs one. */
  pids: number[];
}

const systemd = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
};

/**
 * Has systemd make the unit with the processes in it, and waits until it is there; the directory is then
 * `resolveCgroupsPath(…, 'systemd')`, delegated: what systemd has no property for, `makeCgroups` writes.
 * @throws host.cgroup where no bus answers or systemd refuses, with its words.
 */
export async function startUnit(
  { asked, id, resources, pids }: UnitRequest,
  all: Hierarchies = hierarchies(),
  bus = systemBus,
): Promise<void> {
  const { slice, unit } = systemdUnit(asked, id);
  const isScope = unit.endsWith('.scope');
  const accounting = ['CPUAccounting', 'MemoryAccounting', 'TasksAccounting', 'IOAccounting'];
  const properties: Property[] = [
    ['Description', { signature: 's', value: `stack-runtime container ${id}` }],
    ['DefaultDependencies', { signature: 'b', value: false }],
    [isScope ? 'Slice' : 'Wants', isScope ? { signature: 's', value: slice } : { signature: 'as', value: [slice] }],
    ...accounting.map((name): Property => [name, { signature: 'b', value: true }]),
    ...(isScope ? ([['Delegate', { signature: 'b', value: true }]] satisfies Property[]) : []),
    ...(isScope ? ([['PIDs', { signature: 'au', value: pids }]] satisfies Property[]) : []),
    ...resourceProperties(resources, all.mode === 'unified'),
  ];
  const start = { member: 'StartTransientUnit', signature: 'ssa(sv)a(sa(sv))', args: [unit, 'fail', properties, []] };
  await withJobs(bus, `start ${unit}`, async (connection, wait) => {
    try {
      await wait(start);
    } catch (thrown) {
      if (!(thrown instanceof BusError) || !thrown.errorName.endsWith('.UnitExists')) throw thrown;
      // What failed before is kept under its name until it is told to forget it.
      await connection.call({ ...systemd, member: 'ResetFailedUnit', signature: 's', args: [unit] });
      await wait(start);
    }
  });
}

/** Stops the unit and waits until it is gone; one that is gone is no failure. @throws host.cgroup */
export async function stopUnit(asked: string | undefined, id: string, bus = systemBus): Promise<void> {
  const { unit } = systemdUnit(asked, id);
  await withJobs(bus, `stop ${unit}`, async (connection, wait) => {
    const ignore = (thrown: unknown) => {
      if (!(thrown instanceof BusError) || !/\.(NoSuchUnit|UnitNotLoaded)$/.test(thrown.errorName)) throw thrown;
    };
    await wait({ member: 'StopUnit', signature: 'ss', args: [unit, 'replace'] }).catch(ignore);
    await connection.call({ ...systemd, member: 'ResetFailedUnit', signature: 's', args: [unit] }).catch(ignore);
  });
}

/** Tells systemd the limits that changed; `updateCgroups` writes them as well. @throws host.cgroup */
export async function updateUnit(
  asked: string | undefined,
  id: string,
  resources: Resources,
  all: Hierarchies = hierarchies(),
  bus = systemBus,
): Promise<void> {
  const { unit } = systemdUnit(asked, id);
  const args = [unit, true, resourceProperties(resources, all.mode === 'unified')];
  await withJobs(bus, `change ${unit}`, (connection) =>
    connection.call({ ...systemd, member: 'SetUnitProperties', signature: 'sba(sv)', args }),
  );
}

type Wait = (call: { member: string; signature: string; args: unknown[] }) => Promise<void>;

/** `wait` calls what answers a job and waits for its end. Half a minute at most. */
async function withJobs(
  path: string,
  operation: string,
  body: (bus: Bus, wait: Wait) => Promise<unknown>,
): Promise<void> {
  const bus = await openBus(path);
  const ended = new Map<string, string>();
  let look = () => {};
  bus.onSignal(({ member, body: [, job, , result] }) => {
    if (member !== 'JobRemoved') return;
    ended.set(job as string, result as string);
    look();
  });
  const wait: Wait = async (call) => {
    const [job] = (await bus.call({ ...systemd, ...call })) as [string];
    const result = await new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve('not done within 30 s'), 30_000);
      look = () => {
        if (!ended.has(job)) return;
        clearTimeout(timer);
        resolve(ended.get(job)!);
      };
      // Its end may have been told before the answer was read.
      look();
    });
    if (result !== 'done') throw new BusError('job', result);
  };
  try {
    const own = {
      destination: 'org.freedesktop.DBus',
      path: '/org/freedesktop/DBus',
      interface: 'org.freedesktop.DBus',
    };
    const rule = `type='signal',interface='${systemd.interface}',member='JobRemoved'`;
    await bus.call({ ...own, member: 'AddMatch', signature: 's', args: [rule] });
    await bus.call({ ...systemd, member: 'Subscribe' });
    await body(bus, wait);
  } catch (thrown) {
    if (thrown instanceof StackError) throw thrown;
    throw new StackError('host.cgroup', {
      message: `systemd refused to ${operation}: ${(thrown as Error).message}`,
      hint: 'Ask `systemctl status` for the unit, or leave out --systemd-cgroup: cgroups are then made without systemd.',
      operation,
      cause: thrown,
    });
  } finally {
    bus.close();
  }
}
