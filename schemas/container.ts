/** What the engine writes down about a container (container.json: intent) and what the shim reports (status: fact). */
import type { Service } from './project.ts';

/** One interface of a container on one network. */
export interface Endpoint {
  /** Key of the network in the stack file (`default`). */
  network: string;
  /** Name of the network on the machine (`demo_default`). */
  networkName: string;
  /** Id of the network it was made for: one made anew under the same name has another. */
  networkId?: string;
  /** Name of the interface inside the container: `eth0`. */
  interface: string;
  /** Name of the host's end of the veth pair; empty where it stands on a `parent`. */
  hostInterface: string;
  bridge: string;
  /** What it is made of on an interface of the host, in place of a veth pair (planner/network/parent-options). */
  parent?: { driver: 'macvlan' | 'ipvlan'; parent: string; mode: number; flags: number; mtu?: number };
  /** Colon-separated hex. */
  mac: string;
  ipv4?: InterfaceAddress;
  ipv6?: InterfaceAddress;
  /** More addresses of the interface, that nobody finds by a name. */
  linkLocal?: InterfaceAddress[];
  /** Names other containers of the network find it by, besides its own name: service name, aliases, short id. */
  aliases: string[];
  /** Slot in the network's table of live endpoints (see engine/network/names). */
  slot: number;
  /** Nothing passes between it and others of its kind on the bridge. */
  isIsolated?: boolean;
  /** The default route goes through this endpoint. */
  isDefaultRoute: boolean;
}

export interface InterfaceAddress {
  address: string;
  prefix: number;
  gateway?: string;
}

export interface PublishedPort {
  protocol: 'tcp' | 'udp';
  /** Host address the port is bound to: `0.0.0.0`, `127.0.0.1`, `::`. */
  hostAddress: string;
  /** 0 where the network is routed: the port is open at the container's own address and takes none of the host's. */
  hostPort: number;
  containerPort: number;
}

/** A mount of the stack file with everything resolved. */
export type ResolvedMount =
  | {
      type: 'bind';
      source: string;
      target: string;
      readOnly: boolean;
      propagation?: string;
      /** What becomes of what is mounted below the source; absent: it comes along, as writable as the rest. */
      recursive?: 'disabled' | 'writable' | 'readonly';
      /** Its files get the label of this container's, or of all containers' (`z`). */
      selinux?: 'z' | 'Z';
      /** Owner on disk, and who that is in the container (`x-idmap`). */
      owner?: { uid: number; gid: number; as: { uid: number; gid: number } };
    }
  | {
      type: 'volume';
      name: string;
      /** Absolute directory on the host. */
      source: string;
      target: string;
      readOnly: boolean;
      isAnonymous: boolean;
      /** A path below `source`, looked up anew at each start and never out of it. */
      subpath?: string;
      /** Of a volume that is a bind (`driver_opts`): `bind`, `ro`, `nosuid`. */
      options?: string[];
    }
  | {
      type: 'image';
      /** Its name. */
      source: string;
      id: string;
      /** Absolute directories, uppermost first. */
      layers: string[];
      /** Below the image's root, without links; '' for all of it. */
      path: string;
      target: string;
      readOnly: true;
    }
  | { type: 'tmpfs'; target: string; size?: number; mode?: number; options?: string[]; readOnly: boolean };

/** Counts up when a record means something that an older version of Stack would misread. A field more is no such thing. */
export const recordFormat = 1;

export interface ContainerRecord {
  /** {@link recordFormat} of the version that wrote it; absent before there was one. */
  format?: number;
  /** 64 hex digits. */
  id: string;
  /** `demo-web-1`, or `container_name`. */
  name: string;
  stack: string;
  service: string;
  /** Replica number from 1. */
  number: number;
  /** Made by `run`, not by `up`. */
  isOneOff: boolean;
  /** The canonical service it was made from: reconcile compares fields against it. */
  config: Service;
  /** Definitions of the networks it joins and the volumes it mounts are compared where they are observed. */
  image: { name: string; id: string; manifestDigest: string };
  /** Id of the container whose network it shares (`network_mode: service:…`). */
  networkPeer?: string;
  /** Digests of the configs and secrets it was given, by path (`configs.app`). */
  grants?: Record<string, string>;
  /** The same for its other namespaces (`ipc: service:…`) and for volumes: ids by what is shared. */
  peers?: Record<string, string>;
  labels: Record<string, string>;
  endpoints: Endpoint[];
  ports: PublishedPort[];
  mounts: ResolvedMount[];
  stopSignal: number;
  stopGraceMs: number;
  hasHealthcheck: boolean;
  isTty: boolean;
  /** ISO 8601. */
  createdAt: string;
}

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead';
export type Health = 'none' | 'starting' | 'healthy' | 'unhealthy';

/** What the shim last reported. `dead`: a shim that vanished without an exit record. */
export interface ContainerStatus {
  state: ContainerState;
  /** Pid of the container's first process in the host's namespace; 0 where none runs. */
  pid: number;
  shimPid: number;
  /** 0–255; 128+signal where a signal ended it. */
  exitCode: number;
  isOomKilled: boolean;
  health: Health;
  /** Consecutive failed probes. */
  failingStreak: number;
  /** Output of the last probe, at most 4096 bytes. */
  probeOutput: string;
  probeExitCode: number;
  restartCount: number;
  /** ISO 8601; empty where it never happened. */
  startedAt: string;
  finishedAt: string;
  /** The last start failed: step, errno name and subject. */
  failure?: { step: string; errno: string; subject: string };
  /** `stop` was asked for: restart policies do not bring it back. */
  isStopRequested: boolean;
}

export interface ExitStatus {
  exitCode: number;
  isOomKilled: boolean;
}

/** Stands in the place of a stack where a network was made by `stack network create`. No stack can be called so. */
export const noStack = '_networks';

/** A network as the machine has it: made by us, found by its bridge's alias. */
export interface NetworkRecord {
  /** 64 hex digits. */
  id?: string;
  /** Key in the stack file. */
  key: string;
  /** Name on the machine. */
  name: string;
  stack: string;
  driver: 'bridge' | 'macvlan' | 'ipvlan';
  /** Name of the link on the host; empty where there is none, and containers stand on the `parent`. */
  bridge: string;
  /** Interface of the host that macvlan and ipvlan stand on. */
  parent?: string;
  isInternal: boolean;
  ipv4?: { subnet: string; gateway: string };
  ipv6?: { subnet: string; gateway: string };
  mtu?: number;
  labels: Record<string, string>;
  /** ISO 8601; absent where an older version of Stack wrote the record. */
  createdAt?: string;
  /** The definition it was made from, for reconcile. */
  config: import('./project.ts').Network;
}

export interface VolumeRecord {
  key: string;
  name: string;
  stack: string;
  /** Absolute directory of its content. */
  path: string;
  isAnonymous: boolean;
  labels: Record<string, string>;
  config: import('./project.ts').Volume;
  createdAt: string;
}
