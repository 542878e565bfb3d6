/**
 * The canonical project: what the loader makes of the stack files, and what `stack config --format json` prints. Field
 * names and shapes are those of `docker compose config --format json`, so that the two can be compared.
 * Source: compose-spec 05-services.md, 06-networks.md, 07-volumes.md.
 */

export interface Project {
  name: string;
  services: Record<string, Service>;
  networks: Record<string, Network>;
  volumes: Record<string, Volume>;
  configs?: Record<string, FileObject>;
  secrets?: Record<string, FileObject>;
  /** Where it was loaded from, for those who make containers of it; `stack config` does not show it. */
  origin?: { files: string[]; directory: string };
  [extension: `x-${string}`]: unknown;
}

export interface FileObject {
  name: string;
  file?: string;
  environment?: string;
  content?: string;
  external?: boolean;
  [extension: `x-${string}`]: unknown;
}

/** A duration as compose prints it: `1m30s`, `500ms`. `planner/load/duration` reads it. */
export type Duration = string;

export interface Service {
  image?: string;
  build?: Record<string, unknown>;
  command: string[] | null;
  entrypoint: string[] | null;
  environment?: Record<string, string | null>;
  env_file?: unknown;
  ports?: Port[];
  expose?: string[];
  volumes?: ServiceVolume[];
  networks?: Record<string, ServiceNetwork | null>;
  network_mode?: string;
  depends_on?: Record<string, Dependency>;
  healthcheck?: Healthcheck;
  restart?: string;
  user?: string;
  group_add?: string[];
  working_dir?: string;
  tty?: boolean;
  stdin_open?: boolean;
  init?: boolean;
  read_only?: boolean;
  privileged?: boolean;
  tmpfs?: string[];
  shm_size?: string;
  cap_add?: string[];
  cap_drop?: string[];
  security_opt?: string[];
  ulimits?: Record<string, number | { soft: number; hard: number }>;
  sysctls?: Record<string, string>;
  mem_limit?: string;
  memswap_limit?: string;
  mem_reservation?: string;
  /** 0–100, as a string. */
  mem_swappiness?: string;
  cpus?: number;
  /** Of Windows. */
  cpu_count?: number;
  cpu_percent?: number;
  cpu_shares?: number;
  /** Microseconds, as the three below. */
  cpu_period?: number;
  cpu_quota?: number;
  cpu_rt_period?: number;
  cpu_rt_runtime?: number;
  cpuset?: string;
  pids_limit?: number;
  oom_score_adj?: number;
  oom_kill_disable?: boolean;
  blkio_config?: BlockIoConfig;
  cgroup?: string;
  cgroup_parent?: string;
  device_cgroup_rules?: string[];
  devices?: DeviceMapping[];
  gpus?: DeviceRequest[];
  ipc?: string;
  pid?: string;
  uts?: string;
  userns_mode?: string;
  isolation?: string;
  runtime?: string;
  volumes_from?: string[];
  links?: string[];
  external_links?: string[];
  storage_opt?: Record<string, string>;
  post_start?: ServiceHook[];
  pre_start?: InitHook[];
  pre_stop?: ServiceHook[];
  secrets?: Grant[];
  configs?: Grant[];
  provider?: { type: string; options?: Record<string, unknown> };
  deploy?: Deploy;
  develop?: { watch?: DevelopWatch[] };
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  container_name?: string;
  hostname?: string;
  domainname?: string;
  mac_address?: string;
  extra_hosts?: string[];
  dns?: string[];
  dns_search?: string[];
  dns_opt?: string[];
  stop_signal?: string;
  stop_grace_period?: Duration;
  scale?: number;
  profiles?: string[];
  platform?: string;
  pull_policy?: string;
  /** False: `up` does not show its log. */
  attach?: boolean;
  logging?: { driver?: string; options?: Record<string, string> };
  [extension: `x-${string}`]: unknown;
}

/** Rates in bytes, as strings of digits, or in operations, a second. */
export interface BlockIoConfig {
  weight?: number;
  weight_device?: { path: string; weight: number }[];
  device_read_bps?: BlockIoRate[];
  device_read_iops?: BlockIoRate[];
  device_write_bps?: BlockIoRate[];
  device_write_iops?: BlockIoRate[];
}

export interface BlockIoRate {
  path: string;
  rate: string | number;
}

/** A node of the host, or a device of CDI by its name (`vendor.com/class=name`). */
export interface DeviceMapping {
  source: string;
  target: string;
  /** Some of `rwm`. */
  permissions: string;
}

/** An entry of `gpus` and of `deploy.resources.reservations.devices`. */
export interface DeviceRequest {
  capabilities?: string[];
  driver?: string;
  /** -1: all of them. */
  count?: number;
  device_ids?: string[];
  options?: Record<string, string>;
}

/** A rule of `develop.watch` (compose-spec develop.md). */
export interface DevelopWatch {
  /** Absolute. */
  path?: string;
  action?: string;
  target?: string;
  ignore?: string[];
  include?: string[];
  initial_sync?: boolean;
  exec?: Partial<ServiceHook>;
}

/** A command run in the service's container. */
export interface ServiceHook {
  command: string[];
  user?: string;
  privileged?: boolean;
  working_dir?: string;
  environment?: Record<string, string | null>;
}

/** A secret or config that a service gets. */
export interface Grant {
  source: string;
  target?: string;
  uid?: string;
  gid?: string;
  mode?: number;
}

/** A command run in a container of its own, before the service's first start. */
export interface InitHook extends Partial<ServiceHook> {
  /** The service's own where absent. */
  image?: string;
  /** Once for each container of the service; otherwise once for all of them. */
  per_replica?: boolean;
}

export interface Port {
  name?: string;
  mode?: string;
  host_ip?: string;
  target: number;
  /** One port or a range `8000-8010`; absent: an ephemeral one. */
  published?: string;
  protocol: string;
  app_protocol?: string;
}

export interface ServiceVolume {
  type: 'bind' | 'volume' | 'tmpfs' | string;
  source?: string;
  target: string;
  read_only?: boolean;
  bind?: { create_host_path?: boolean; propagation?: string; selinux?: string; recursive?: string };
  volume?: { nocopy?: boolean; subpath?: string; labels?: Record<string, string> };
  image?: { subpath?: string };
  /** Of a bind: its files belong to the source's owner, or to these, whoever of the container's user makes them. */
  'x-idmap'?: boolean | { uid: number; gid: number };
  tmpfs?: { size?: string; mode?: number };
  consistency?: string;
}

export interface ServiceNetwork {
  aliases?: string[];
  ipv4_address?: string;
  ipv6_address?: string;
  link_local_ips?: string[];
  mac_address?: string;
  interface_name?: string;
  priority?: number;
  gw_priority?: number;
  driver_opts?: Record<string, string>;
}

export interface Dependency {
  condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  required: boolean;
  restart?: boolean;
}

export interface Healthcheck {
  test?: string[];
  interval?: Duration;
  timeout?: Duration;
  retries?: number;
  start_period?: Duration;
  start_interval?: Duration;
  disable?: boolean;
}

export interface Deploy {
  mode?: string;
  replicas?: number;
  labels?: Record<string, string>;
  resources?: {
    limits?: { cpus?: number; memory?: string; pids?: number };
    reservations?: { cpus?: number; memory?: string; devices?: DeviceRequest[] };
  };
  restart_policy?: { condition?: string; delay?: Duration; max_attempts?: number; window?: Duration };
  update_config?: UpdateConfig;
  rollback_config?: UpdateConfig;
  [other: string]: unknown;
}

/** How the containers of a service are replaced (compose-spec deploy.md). */
export interface UpdateConfig {
  parallelism?: number;
  delay?: Duration;
  failure_action?: string;
  monitor?: Duration;
  max_failure_ratio?: number;
  order?: string;
}

export interface Network {
  /** Name on the machine: `<project>_<key>` unless set. */
  name: string;
  driver?: string;
  driver_opts?: Record<string, string>;
  ipam: { driver?: string; config?: IpamPool[] };
  external?: boolean;
  internal?: boolean;
  attachable?: boolean;
  enable_ipv4?: boolean;
  enable_ipv6?: boolean;
  labels?: Record<string, string>;
}

export interface IpamPool {
  subnet?: string;
  gateway?: string;
  ip_range?: string;
  aux_addresses?: Record<string, string>;
}

export interface Volume {
  /** Name on the machine: `<project>_<key>` unless set. */
  name: string;
  driver?: string;
  driver_opts?: Record<string, string>;
  external?: boolean;
  labels?: Record<string, string>;
}
