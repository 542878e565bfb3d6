/** What a conformance case is: a Dockerfile and a context, built by docker and by ours, and both outcomes compared. */

/** A file of a context. Times are 2020-01-01 and owners 1001:1002 for all of them. */
export type ContextFile =
  /** Its text; mode 0644. */
  | string
  | { text: string; mode: number }
  /** A symbolic link. */
  | { link: string }
  /** Another name of a file of the context that is listed before. */
  | { sameAs: string }
  | { directory: number }
  /** A tar archive. */
  | { tar: ArchiveEntry[]; compression?: 'gzip' | 'bzip2' | 'xz' };

export interface ArchiveEntry {
  name: string;
  type?: 'file' | 'directory' | 'symlink' | 'link' | 'fifo';
  text?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  linkname?: string;
  xattrs?: Record<string, string>;
}

export interface Case {
  files?: Record<string, ContextFile>;
  /** Text of `Dockerfile`; '' for none. */
  dockerfile: string;
  /** More of the service's `build` section. */
  build?: object;
  /** Where docker 26 differs, and who is right. */
  differs?: Difference;
}

export interface Difference {
  /** Who is right, and by what. */
  why: string;
  /** What ours makes instead: all of it, or what is other in the tree (null: not there); 'fails' where it refuses. */
  ours: Facts | { changed: Record<string, string | null> } | 'fails';
}

/** Everything of an outcome that is compared. */
export interface Facts {
  /** The image configuration; what is empty is left out. */
  config: Record<string, unknown>;
  /** What the image has other than its base, by path: see facts.ts. */
  tree: Record<string, string>;
}

export type Cases = Record<string, Case>;

export const epochSeconds = Date.UTC(2020, 0, 1) / 1000;
