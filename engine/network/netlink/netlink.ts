/** Sends batches through the kernel port and turns refusals into errors a user can act on. */
import { constants } from 'node:os';
import { StackError } from '../../../schemas/errors.ts';
import type { Fd, KernelError, NetworkVerbs } from '../../../schemas/kernel.ts';
import { type Answer, decode, encode, type Refusal, type Request } from './message.ts';

/** include/uapi/linux/netlink.h */
export const protocol = { route: 0, netfilter: 12 };

/**
 * Sends `requests` as one batch into `namespace` (null: the caller's) and answers what came back. rtnetlink carries
 * out the rest of a batch after a refusal, nfnetlink none of it.
 * @throws StackError network.kernel with the first refusal that its request does not tolerate; host.kernel-feature where
 *   the kernel lacks what was asked for
 */
export async function send(
  kernel: NetworkVerbs,
  family: number,
  namespace: Fd | null,
  requests: Request[],
): Promise<Answer[]> {
  if (requests.length === 0) return [];
  let bytes: Uint8Array;
  try {
    bytes = await kernel.netlink(family, namespace, encode(requests));
  } catch (thrown) {
    const { code, message } = thrown as KernelError;
    const lacks = missing.has(code);
    throw new StackError(lacks ? 'host.kernel-feature' : 'network.kernel', {
      message: lacks
        ? `The kernel has no ${family === protocol.netfilter ? 'nftables' : 'rtnetlink'}: ${message}.`
        : message,
      hint: hints[code],
      operation: 'netlink',
      errno: code,
      cause: thrown,
    });
  }
  const { answers, refusals } = decode(bytes);
  for (const refusal of refusals) {
    const request = requests[refusal.index];
    if (!request?.tolerate?.includes(errnoName(refusal))) throw refused(refusal, request);
  }
  return answers;
}

/** By errno(3)'s names: the system's own list calls 95 ENOTSUP, which no netlink manual does. */
function errnoName({ errno }: Refusal): string {
  if (errno === constants.errno.EOPNOTSUPP) return 'EOPNOTSUPP';
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}

function refused(refusal: Refusal, request: Request | undefined): StackError {
  const errno = errnoName(refusal);
  const about = request?.about ?? 'a netlink request';
  return new StackError(missing.has(errno) ? 'host.kernel-feature' : 'network.kernel', {
    message: `The kernel refused to ${about}: ${errno}${refusal.text ? ` (${refusal.text})` : ''}.`,
    hint: hints[errno],
    operation: about,
    errno,
  });
}

/** What the kernel answers where a part of it was not built. */
const missing = new Set(['EOPNOTSUPP', 'EAFNOSUPPORT', 'EPROTONOSUPPORT']);
const notBuilt = 'This kernel was built without that part of networking, or its module cannot be loaded.';

const hints: Record<string, string> = {
  EPERM: 'Run as root, or with CAP_NET_ADMIN in this network namespace.',
  EOPNOTSUPP: notBuilt,
  EAFNOSUPPORT: notBuilt,
  EPROTONOSUPPORT: notBuilt,
  // nftables: a kind of expression or of chain that is not there.
  ENOENT: notBuilt,
};
