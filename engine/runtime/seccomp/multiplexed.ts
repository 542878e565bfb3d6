/**
 * Calls that a 32-bit x86 program can make in two ways: by themselves, or through socketcall(2) and ipc(2), whose first
 * argument says which. A rule about such a call is about both ways, or a profile that refuses it would refuse nothing.
 * Source: linux/net.h, linux/ipc.h, ipc/syscall.c, net/socket.c.
 */
import type { SeccompArgument } from '../../../schemas/oci-runtime.ts';

const socketCalls = [
  ...['socket', 'bind', 'connect', 'listen', 'accept', 'getsockname', 'getpeername', 'socketpair', 'send', 'recv'],
  ...['sendto', 'recvfrom', 'shutdown', 'setsockopt', 'getsockopt', 'sendmsg', 'recvmsg', 'accept4', 'recvmmsg'],
  'sendmmsg',
];
const ipcCalls: Record<string, number> = {
  ...{ semop: 1, semget: 2, semctl: 3, semtimedop: 4, msgsnd: 11, msgrcv: 12, msgget: 13, msgctl: 14 },
  ...{ shmat: 21, shmdt: 22, shmget: 23, shmctl: 24 },
};

export interface Multiplexer {
  /** `socketcall` or `ipc`. */
  name: string;
  /** What its first argument is for the call. */
  selector: SeccompArgument;
}

/** The other way to make a call; undefined where there is none. */
export function multiplexer(name: string): Multiplexer | undefined {
  const socket = socketCalls.indexOf(name) + 1;
  if (socket > 0) return { name: 'socketcall', selector: { index: 0, value: socket, op: 'SCMP_CMP_EQ' } };
  // The upper half is a version, which the kernel looks at elsewhere.
  if (Object.hasOwn(ipcCalls, name)) {
    return { name: 'ipc', selector: { index: 0, value: 0xffff, valueTwo: ipcCalls[name]!, op: 'SCMP_CMP_MASKED_EQ' } };
  }
  return undefined;
}
