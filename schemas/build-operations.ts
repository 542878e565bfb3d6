/**
 * What a vertex of a build does. Every field changes the outcome; what does not is in the vertex around it.
 * `input` numbers count the vertex's inputs from 0.
 */
import type { Platform } from './oci-image.ts';

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
