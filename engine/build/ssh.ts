/** An ssh agent of the caller as a socket that the build step may use: it signs, it never gives a key away. */
import { chmodSync, chownSync, closeSync, constants, openSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';

/** @param agent path of the caller's socket. @param path where the step's is made. */
export async function forwardAgent(
  agent: string,
  path: string,
  { uid, gid, mode }: { uid: number; gid: number; mode: number },
): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(agent);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    }
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  rmSync(path, { force: true });
  // Through the folder's descriptor: the path of a socket has 107 bytes at most (unix(7)), and STACK_RUN may be anywhere.
  const folder = openSync(dirname(path), constants.O_DIRECTORY);
  try {
    const short = `/proc/self/fd/${folder}/${basename(path)}`;
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(short, resolve));
  } finally {
    closeSync(folder);
  }
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(path, { force: true });
    },
  };
}
