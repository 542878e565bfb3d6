/** Who a container's process is: user strings resolved against the image's own /etc/passwd and /etc/group. */

export interface User {
  uid: number;
  gid: number;
  /** Every group of the process, the primary one first. */
  additionalGids: number[];
  /** Home directory for HOME: `/` where the image knows none. */
  home: string;
}
