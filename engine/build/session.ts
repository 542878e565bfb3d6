/** What the RUN steps of one build share: a folder and a network, each made when the first of them needs it, gone with the build. */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Endpoint, NetworkRecord } from '../../schemas/container.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { Service } from '../../schemas/project.ts';
import { cgroupParent, type Host } from '../host.ts';
import { makeLocked } from '../images/locks.ts';
import type { Member, Networks } from '../network/network.ts';
import { loadRecords } from '../network/records.ts';
import { containerCgroups, removeCgroups, removeStackCgroups } from '../runtime/cgroup/cgroup.ts';

const prefix = 'build-';

/**
 * Namespaces and links that are kept for the end: the kernel waits as long for many of them as for one, and the next step
 * waits for the kernel.
 */
const mostLeft = 16;

/** A network namespace of a step and what its files say of it. */
export interface StepNetwork {
  namespace: Fd;
  addresses: string[];
  /** The step has ended; what it had goes with the network, or once there is too much of it. */
  leave(): void;
}

export class BuildSession implements AsyncDisposable {
  readonly #host: Host;
  readonly #networks: () => Promise<Networks>;
  readonly #fetched: string;
  readonly #members = new Map<string, Member>();
  /** Takes away what steps had that ended, the oldest first. */
  readonly #left: (() => void)[] = [];
  #folder: { name: string; path: string; lock: Fd } | undefined;
  #network: Promise<NetworkRecord> | undefined;

  /** @param fetched where the folders lie of what builds fetch. */
  constructor(host: Host, networks: () => Promise<Networks>, fetched: string) {
    this.#host = host;
    this.#networks = networks;
    this.#fetched = fetched;
  }

  /** Stands for a stack in the kernel's own names: cgroups, bridge, rules. */
  get name(): string {
    return this.#open().name;
  }

  /** Volatile files of the build: secrets, sockets, /etc/hosts. Root's alone. */
  get run(): string {
    return this.#open().path;
  }

  /** For trees that have nothing. */
  get emptyDirectory(): string {
    const path = join(this.run, 'empty');
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return path;
  }

  #open() {
    if (this.#folder) return this.#folder;
    const name = prefix + randomBytes(4).toString('hex');
    const path = join(this.#host.layout.run, 'builds', name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // The folder itself is the lock: however early this process is killed, a sweep can tell that it is nobody's.
    const lock = makeLocked(this.#host.kernel.filesystem, path, () => {
      mkdirSync(path, { mode: 0o700 });
      return openSync(path, constants.O_DIRECTORY);
    });
    this.#folder = { name, path, lock };
    return this.#folder;
  }

  /** Folder for what builds fetch. */
  get fetched(): string {
    const path = join(this.#fetched, this.name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  /**
   * Takes away what builds that were killed left: cgroups with their processes, networks, secrets, and what they had fetched
   * into folders of their names in `fetched`. After a restart of the machine only their networks and those are left.
   */
  static async sweep(host: Host, networks: () => Promise<Networks>, fetched: string): Promise<void> {
    const folder = join(host.layout.run, 'builds');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of new Set([...readdirSync(folder), ...remains(host, fetched)])) {
      mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
      let lock: Fd;
      try {
        lock = openSync(join(folder, name), constants.O_DIRECTORY);
      } catch {
        continue; // Just gone.
      }
      try {
        if (!host.kernel.filesystem.tryFlock(lock, 'exclusive')) continue;
        rmSync(join(fetched, name), { recursive: true, force: true });
        await discard(host, networks, name);
      } finally {
        closeSync(lock);
      }
    }
  }

  /** A namespace of its own on the build's network; without a network, with its loopback alone. */
  async join(id: string, isConnected: boolean): Promise<StepNetwork> {
    const networks = await this.#networks();
    if (isConnected) this.#network ??= this.#create(networks);
    const record = isConnected ? await this.#network : undefined;
    const endpoints = record ? networks.allocate(request(this.name, id, record), []) : [];
    const namespace = await this.#host.kernel.network.createNamespace();
    const remove = () => {
      closeSync(namespace);
      networks.detach(endpoints);
      networks.release(id);
    };
    const leave = () => {
      // Its name and its rules, which are nobody's now, go with the next step that joins, or with the network.
      this.#members.delete(id);
      this.#left.push(remove);
      if (this.#left.length > mostLeft) this.#left.shift()!();
    };
    try {
      await networks.attach(namespace, { stack: this.name, id, endpoints });
      if (record) {
        this.#members.set(id, { id, name: id.slice(0, 12), endpoints, ports: [] });
        await networks.sync(this.name, [record], [...this.#members.values()]);
      }
    } catch (error) {
      leave();
      throw error;
    }
    return { namespace, addresses: endpoints.flatMap(addressesOf), leave };
  }

  #create(networks: Networks): Promise<NetworkRecord> {
    return networks.create(this.name, 'default', { name: this.name, ipam: {} });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#folder) return;
    const { name, lock } = this.#folder;
    await this.#network?.catch(() => {});
    for (const remove of this.#left.splice(0)) remove();
    rmSync(join(this.#fetched, name), { recursive: true, force: true });
    await discard(this.#host, this.#networks, name);
    closeSync(lock);
  }
}

/** Names of builds that have something beyond their folders. */
function remains({ layout }: Host, fetched: string): string[] {
  const records = loadRecords(layout).map(({ stack }) => stack);
  const folders = existsSync(fetched) ? readdirSync(fetched) : [];
  return [...records, ...folders].filter((name) => /^build-[0-9a-f]{8}$/.test(name));
}

async function discard(host: Host, networks: () => Promise<Networks>, name: string): Promise<void> {
  const parent = cgroupParent(host);
  for (const id of containerCgroups(name, parent)) await removeCgroups(`${parent}/${name}/${id}`);
  removeStackCgroups(name, parent);
  const records = loadRecords(host.layout).filter(({ stack }) => stack === name);
  if (records.length > 0) await (await networks()).remove(records);
  rmSync(join(host.layout.run, 'builds', name), { recursive: true, force: true });
}

const request = (stack: string, id: string, record: NetworkRecord) => ({
  stack,
  id,
  name: id.slice(0, 12),
  service: 'build',
  isOneOff: true,
  config: { command: null, entrypoint: null, networks: { default: null } } satisfies Service,
  networks: new Map([['default', record]]),
});

const addressesOf = ({ ipv4, ipv6 }: Endpoint) =>
  [ipv4?.address, ipv6?.address].filter((address) => address !== undefined);
