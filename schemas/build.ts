/**
 * A build as data: what the planner makes of a Dockerfile and what the solver carries out. A graph is plain JSON, so that
 * graphs of several services merge by joining their vertices: equal ids are equal work.
 */
import type { ImageConfig, Platform } from './oci-image.ts';

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

export type Operation =
  | ScratchOperation
  | ImageOperation
  | ContextOperation
  | GitOperation
  | HttpOperation
  | RunOperation
  | CopyOperation
  | MkdirOperation
  | MergeOperation;

/** An empty tree. */
export interface ScratchOperation {
  kind: 'scratch';
}

/** The tree of an image. Key: the digest. */
export interface ImageOperation {
  kind: 'source.image';
  /** Normalised with tag, or `oci-layout://` and a directory. */
  reference: string;
  /** Digest of the manifest of this platform: what the build is pinned to once resolved. */
  digest: string;
  platform: Platform;
}

/** Files of a local directory. Key: the content of what `paths` select and neither `ignore` nor the consumer leaves out. */
export interface ContextOperation {
  kind: 'source.context';
  /** `context`, or the name in additional_contexts. */
  name: string;
  /** Directory, as handed in by the caller. */
  location: string;
  /**
   * What is needed: slash-separated, relative, with Go's filepath.Match wildcards in each element; symbolic links on the
   * way are followed inside the context. A directory means all below it. Absent: everything.
   */
  paths?: string[];
  /** Lines of the .dockerignore in force, cleaned (`planner/dockerfile/ignore`). */
  ignore: string[];
}

export interface GitOperation {
  kind: 'source.git';
  /** Without fragment: `https://host/repo.git`, `git@host:repo.git`. */
  remote: string;
  /** Branch, tag or commit; absent for the remote's HEAD. */
  ref?: string;
  /** Directory of the repository that becomes the root. */
  subdirectory?: string;
  keepGitDirectory: boolean;
  /** Commit (or a prefix of at least 7 digits) that the ref must resolve to. */
  checksum?: string;
  submodules: boolean;
}

export interface HttpOperation {
  kind: 'source.http';
  url: string;
  /** The name of the only file of the tree, directly below its root; mode 0600. */
  filename: string;
  checksum?: string;
}

/** A process in input 0. The result is the changed tree; with `mounts` left out. */
export interface RunOperation {
  kind: 'run';
  args: string[];
  /** `NAME=value`: the image's, ENV's and every ARG in scope that has a value, in the order they came. */
  env: string[];
  /** Absolute. */
  cwd: string;
  /** `user[:group]` by name or number, resolved in input 0; absent for root. */
  user?: string;
  mounts: RunMount[];
  network: 'default' | 'none' | 'host';
  security: 'sandbox' | 'insecure';
  /** Absent for the builder's choice. */
  hostname?: string;
  /** `name=address` for /etc/hosts. */
  hosts: string[];
  /** Bytes of /dev/shm; absent for the runtime's default. */
  shmSize?: number;
  ulimits: Record<string, { soft: number; hard: number }>;
  platform: Platform;
}

export type RunMount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount | InlineMount;

export interface BindMount {
  type: 'bind';
  /** Absolute, clean. */
  target: string;
  /** Number of an input; absent for an empty tree. */
  input?: number;
  /** Absolute path inside the input; `/` for all of it. */
  source: string;
  /** A writable bind takes writes and forgets them after the step. */
  readonly: boolean;
}

export interface CacheMount {
  type: 'cache';
  target: string;
  /** Whose content it is, shared by every build of this machine that names it. */
  id: string;
  /** `private`: a second writer gets another cache. `locked`: it waits. */
  sharing: 'shared' | 'private' | 'locked';
  /** What a new cache begins as; absent for an empty directory. */
  input?: number;
  source: string;
  readonly: boolean;
  /** Of the root of a new cache. */
  uid: number;
  gid: number;
  mode: number;
}

export interface TmpfsMount {
  type: 'tmpfs';
  target: string;
  /** Bytes; absent for no limit of its own. */
  size?: number;
}

export interface SecretMount {
  type: 'secret';
  id: string;
  /** Path of the file; absent where only `env` is asked for. */
  target?: string;
  /** Variable of the process that gets the value. */
  env?: string;
  /** Without it a missing secret means no file and no variable. */
  required: boolean;
  uid: number;
  gid: number;
  mode: number;
}

export interface SshMount {
  type: 'ssh';
  /** `default` unless named. */
  id: string;
  /** Path of the socket that SSH_AUTH_SOCK names; absent for the builder's choice. */
  target?: string;
  required: boolean;
  uid: number;
  gid: number;
  mode: number;
}

/** A heredoc that begins with `#!`: a directory with this one executable file, read-only. */
export interface InlineMount {
  type: 'inline';
  /** Directory the file appears in. */
  target: string;
  name: string;
  content: string;
  mode: number;
}

/** Files put on top of input 0. */
export interface CopyOperation {
  kind: 'copy';
  /** In this order, later over earlier. */
  sources: CopySource[];
  /** Absolute, clean but for a final slash, which says that it is a directory. */
  destination: string;
  /** `user[:group]`; names are looked up in input 0. Absent: 0:0. */
  chown?: string;
  /** `0644`-like octal or `u=rwX,go=rX`, chmod(1). */
  chmod?: string;
  /** moby patternmatcher patterns, relative to each source. */
  exclude: string[];
}

export type CopySource = CopyPaths | CopyInline;

export interface CopyPaths {
  type: 'input';
  input: number;
  /** Absolute path in the input; wildcards as in Go's filepath.Match where `wildcard`. */
  path: string;
  wildcard: boolean;
  /** A wildcard that matches nothing is no error. */
  emptyAllowed: boolean;
  /** A symbolic link at `path` itself is followed, inside the input. */
  followSymlinks: boolean;
  /** A directory's content is copied rather than the directory. */
  contentsOnly: boolean;
  /** --parents: only what matches these patterns (patternmatcher's), below `path`, keeping the directories between. */
  include?: string[];
  /** Absolute paths that must exist. */
  required?: string[];
  /** A tar archive, plain or compressed, is extracted. Anything else is copied. */
  unpack: boolean;
}

/** A heredoc: a file of mode 0644 made of its text. */
export interface CopyInline {
  type: 'inline';
  name: string;
  content: string;
}

/** WORKDIR: the directory and its missing parents in input 0. An existing one stays as it is. */
export interface MkdirOperation {
  kind: 'mkdir';
  path: string;
  mode: number;
  /** `user[:group]` looked up in input 0, for what is made; absent for 0:0. */
  owner?: string;
}

/** COPY --link: the trees laid over each other, later over earlier. The layers stay as they are. */
export interface MergeOperation {
  kind: 'merge';
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

/** The main build context. A git one has its Dockerfile in the repository: the caller reads it. */
export type BuildContext = Omit<ContextOperation, 'kind' | 'paths' | 'name'> | GitOperation | HttpOperation;

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
