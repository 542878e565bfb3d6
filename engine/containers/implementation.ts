/** The containers room put together: see containers.ts for what each verb promises. */
import type { ContainerRecord, NetworkRecord } from '../../schemas/container.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { Host } from '../host.ts';
import type { Networks } from '../network/network.ts';
import { isShimAlive, shimGone } from '../runtime/status.ts';
import { appArmorPlaces, reloadAppArmor } from '../security/security.ts';
import { listContainers } from '../state/records.ts';
import type { Volumes } from '../volumes/volumes.ts';
import { hasManifest } from '../watch/has-manifest.ts';
import type { Containers, CreateRequest, StartOptions } from './containers.ts';
import { prepare } from './create.ts';
import { restoreGrants } from './grants.ts';
import { runHook, runStopHooks } from './hooks.ts';
import { type Bundle, launch, readBundle } from './launch.ts';
import { type RestoreImage, restoreLayers } from './layers.ts';
import { discard, end, kill, start, statusOf, stop, wait, warningsOf, watch } from './lifecycle.ts';
import { pause, thaw, unpause } from './pause.ts';
import { candidates } from './peers.ts';
import { attach, exec } from './session.ts';
import { tidyStack } from './tidy.ts';

const SIGKILL = 9;

export function createContainers(
  host: Host,
  networks: Networks,
  volumes: Volumes,
  restoreImage: RestoreImage,
): Containers {
  /** Containers of each stack that this process knows to hold addresses: what rules and names are made of. */
  const present = new Map<string, Map<string, ContainerRecord>>();

  function presentOf(stack: string): Map<string, ContainerRecord> {
    let known = present.get(stack);
    if (!known) {
      const live = listContainers(host.layout, stack).filter((one) => isAlive(one));
      known = new Map(live.map((one) => [one.id, one]));
      present.set(stack, known);
    }
    return known;
  }

  const isAlive = (record: ContainerRecord) => isShimAlive(host.kernel, host.layout.containerRun(record.id));

  /** Rules and names follow what is present. Calls of the same moment share one transaction. */
  const publish = (stack: string): Promise<void> =>
    networks.sync(stack, networksOf(stack), [...presentOf(stack).values()]);

  /** The stack's own networks and those of others that its containers joined. */
  function networksOf(stack: string): NetworkRecord[] {
    const own = networks.list(stack);
    const joined = new Set([...presentOf(stack).values()].flatMap((one) => one.endpoints.map((to) => to.networkName)));
    for (const { name } of own) joined.delete(name);
    return [...own, ...[...joined].map((name) => networks.find(name)).filter((one) => one !== undefined)];
  }

  async function create(request: CreateRequest): Promise<ContainerRecord> {
    presentOf(request.project.name);
    const { record, bundle, held } = await prepare(host, networks, volumes, request);
    try {
      await bringUp(record, bundle, held);
      for (const warning of warningsOf(host, record)) request.onWarning?.(warning);
      return record;
    } catch (error) {
      // Volumes handed on belong to the container it was to replace.
      await remove(record, { removeAnonymousVolumes: !request.replaces }).catch(() => {});
      throw error;
    }
  }

  async function bringUp(record: ContainerRecord, bundle: Bundle, held: Fd[]): Promise<void> {
    presentOf(record.stack).set(record.id, record);
    const published = publish(record.stack);
    published.catch(() => {}); // launch awaits it, unless it fails before
    await volumes.attach(record.mounts);
    await launch(host, networks, { record, bundle, held, published, peers: listPeers(record) });
  }

  const listPeers = (record: ContainerRecord) => {
    const { network_mode, ipc, pid } = record.config;
    if (![network_mode, ipc, pid].some((mode) => mode?.includes(':'))) return [];
    return candidates(host, record, listContainers(host.layout, record.stack));
  };

  async function remove(record: ContainerRecord, options: { removeAnonymousVolumes?: boolean } = {}): Promise<void> {
    await end(host, record);
    await withdraw(record);
    await networks.detach(record.endpoints);
    if (options.removeAnonymousVolumes) await volumes.removeAnonymous(record);
    await discard(host, record);
    await volumes.release(record.mounts);
    networks.release(record.id);
    if (presentOf(record.stack).size > 0) return;
    tidyStack(host, record.stack);
    await volumes.releaseStack(record.stack);
  }

  /** Its ports and names no longer lead anywhere. */
  async function withdraw(record: ContainerRecord): Promise<void> {
    if (presentOf(record.stack).delete(record.id) && record.endpoints.length > 0) await publish(record.stack);
  }

  /** Up to the process that waits for start, where it does not already. */
  async function waiting(record: ContainerRecord, project: StartOptions['project']): Promise<void> {
    const { state } = statusOf(host, record);
    // It has just ended: its monitor is on its way out.
    if (state === 'exited' || state === 'dead') await shimGone(host.kernel, host.layout.containerRun(record.id));
    if (!isAlive(record)) {
      await restoreLayers(host, record, restoreImage);
      restoreGrants(record, project, host.layout.containerRun(record.id));
      const bundle = readBundle(host, record);
      const places = appArmorPlaces(host.layout.appArmorMark);
      reloadAppArmor(bundle.spec.process?.apparmorProfile, `container ${record.name}`, places);
      await bringUp(record, bundle, networks.hold(record.name, record.ports));
    }
  }

  return {
    create,
    publish,
    async start(record, { signal, project, onWarning } = {}) {
      if (hasManifest(host, record)) {
        const { takeTurn, replay } = await import('../watch/replay.ts');
        using _turn = await takeTurn(host, record.stack, record.service);
        await waiting(record, project);
        await replay(host, record, onWarning);
      } else await waiting(record, project);
      await start(host, record);
      for (const hook of record.config.post_start ?? []) await runHook(host, record, 'post_start', hook, signal);
    },
    async stop(record, options) {
      if (statusOf(host, record).state === 'paused') await unpause(host, record);
      await runStopHooks(host, record, options?.onWarning);
      const status = await stop(host, record, options);
      await withdraw(record);
      return status;
    },
    async kill(record, signal) {
      await kill(host, record, signal);
      // What is meant to end it does; another signal waits until it goes on.
      if (signal === SIGKILL || signal === record.stopSignal) thaw(host, record);
    },
    pause: (record) => pause(host, record),
    unpause: (record) => unpause(host, record),
    remove,
    status: (record) => statusOf(host, record),
    watch: (record, onChange) => watch(host, record, onChange),
    wait: (record) => wait(host, record),
    exec: (record, request) => exec(host, record, request),
    attach: (record, options) => attach(host, record, options, () => wait(host, record)),
  };
}
