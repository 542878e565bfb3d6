/**
 * A build as data: what the planner makes of a Dockerfile and what the solver carries out. A graph is plain JSON, so that
 * graphs of several services merge by joining their vertices: equal ids are equal work.
 */
import type { ContextOperation, GitOperation, HttpOperation, Operation } from './build-operations.ts';
import type { ImageConfig, Platform } from './oci-image.ts';

export type * from './build-operations.ts';

/**
 * `sha256:` over the operation and the ids of the inputs: names, places and stages do not count. It identifies what was
 * asked for, not content: the solver's cache key takes the operation and, for a source, the content found.
 */
export type VertexId = string;

/** Lines of the Dockerfile, counted from 1, both included. */
export interface LineRange {
  file: string;
  start: number;
  end: number;
}

/** One unit of work. Everything that changes the outcome is in `operation` and `inputs`, everything else is for people. */
export interface Vertex<O extends Operation = Operation> {
  id: VertexId;
  operation: O;
  /** What it reads, in the order the operation's `input` numbers count. Never a later vertex of the same graph. */
  inputs: VertexId[];
  /** `[build 2/5] RUN make`, with variables expanded; secrets never occur. */
  name: string;
  where: LineRange;
  /** Stage it was written in: its name, or `stage-0`; absent for what belongs to none. */
  stage?: string;
  /** Run it even where the cache has its result: `no_cache`, or `no_cache_filter` names the stage. */
  ignoreCache?: true;
  /** Values of http_proxy and its kin for RUN. Not part of the key: a changed proxy runs nothing again. */
  proxy?: Record<string, string>;
}

/** History of an image as the image-spec has it. */
export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** One image that comes out. */
export interface BuildResult {
  platform: Platform;
  vertex: VertexId;
  /** Name of the target stage; absent where it has none. */
  stage?: string;
  /**
   * Configuration without `created`; `rootfs.diff_ids` and `history` are those of the base image. The solver appends
   * the layers of `steps`.
   */
  config: ImageConfig;
  /** History entries of this build, in order; one with a vertex is a layer, one without is empty. */
  steps: { entry: HistoryEntry; vertex?: VertexId }[];
  /** Vertex of the base image, whose layers come first; absent for scratch. */
  base?: VertexId;
  /** Seconds since 1970 that every time in the image is clamped to: SOURCE_DATE_EPOCH. */
  epoch?: number;
}

export interface BuildGraph {
  /** In an order in which inputs come first. */
  vertices: Record<VertexId, Vertex>;
  /** One for each platform asked for. */
  results: BuildResult[];
  /** Ids of secrets and ssh agents that RUN steps name, and whether one insists. */
  secrets: Record<string, { required: boolean }>;
  ssh: Record<string, { required: boolean }>;
  /** Rights that must be granted: `network.host`, `security.insecure`. */
  entitlements: string[];
}

/** What the caller finds out about an image. */
export interface ResolvedImage {
  /** Of the manifest of the platform. */
  digest: string;
  config: ImageConfig;
  platform: Platform;
}

/** The main build context. One that is fetched has its Dockerfile inside: the caller reads it. */
export type BuildContext =
  | Omit<ContextOperation, 'kind' | 'paths' | 'name'>
  | GitOperation
  | HttpOperation
  | ArchiveContext;

/** The content of a tar archive, plain or compressed. */
export interface ArchiveContext {
  kind: 'archive';
  file: HttpOperation;
}

/** What the stack file and the command line ask of a build beyond its Dockerfile. */
export interface BuildSettings {
  /** Stage to build; the last without. */
  target?: string;
  /** Values of ARG. */
  args: Record<string, string>;
  /** Platforms to build for; empty for the machine's. */
  platforms: Platform[];
  buildPlatform: Platform;
  labels: Record<string, string>;
  network: 'default' | 'none' | 'host';
  noCache: boolean;
  noCacheFilter: string[];
  /** `name=address`. */
  hosts: string[];
  shmSize?: number;
  ulimits: Record<string, { soft: number; hard: number }>;
  /** Ids handed to the build; absent where that is not known yet, then none is missed. */
  secrets?: string[];
  ssh?: string[];
  /** `network.host`, `security.insecure`. */
  entitlements: string[];
  /** RUN without --security is insecure: compose's `privileged`. */
  privileged: boolean;
  /** additional_contexts as written: a directory, a URL, `docker-image://`, `oci-layout://`, `target:`, `service:`. */
  contexts: Record<string, string>;
}

/** What the planner asks of the world while it makes a graph. Each may be asked the same twice. */
export interface BuildWorld {
  /** `reference` is normalised with tag or digest, or `oci-layout://…`. Rejects with a StackError. */
  resolveImage(reference: string, platform: Platform): Promise<ResolvedImage>;
  /** The graph of another service of the stack, for one platform. */
  resolveService?(service: string, platform: Platform): Promise<BuildGraph>;
  /** Lines of the ignore file of a directory of additional_contexts, cleaned. */
  ignoreOf?(location: string): Promise<string[]>;
}
