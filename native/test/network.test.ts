import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import type { Fd } from '../../schemas/kernel.ts';
import { loadKernel } from '../index.ts';

const { network } = loadKernel();
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: network namespaces need root rights');

const RTM_GETLINK = 18;
const REQUEST = 1;
const DUMP = 0x300;

/** A message with an empty struct ifinfomsg. */
function message(type: number, flags: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32LE(32, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(REQUEST | flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  return bytes;
}

/** Sequence and type of each message that came back. */
function read(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes);
  const found: string[] = [];
  for (let at = 0; at < buffer.length; at += (buffer.readUInt32LE(at) + 3) & ~3) {
    found.push(`${buffer.readUInt32LE(at + 8)}:${buffer.readUInt16LE(at + 4)}`);
  }
  return found;
}

const threads = (): string[] =>
  readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`));

test.skipIf(!isRoot)('a namespace is new, and no thread of the process stays in it', async () => {
  const made = await Promise.all(Array.from({ length: 8 }, () => network.createNamespace()));
  const names = made.map((fd) => readlinkSync(`/proc/self/fd/${fd}`));
  const own = readlinkSync('/proc/self/ns/net');
  expect(new Set([...names, own]).size).toBe(9);
  await network.writeSysctl(made[0]!, 'net/ipv4/ip_forward', '1');
  await network.netlink(0, made[0]!, message(RTM_GETLINK, DUMP, 1));
  expect(new Set(threads())).toEqual(new Set([own]));
  made.forEach(closeSync);
});

test.skipIf(!isRoot)('a batch may ask for several dumps; each is answered to its end', async () => {
  const namespace = await network.createNamespace();
  const batch = Buffer.concat([1, 2, 3].map((sequence) => message(RTM_GETLINK, DUMP, sequence)));
  const answers = read(await network.netlink(0, namespace, batch));
  // NLMSG_DONE is type 3, RTM_NEWLINK 16; the first link is always lo.
  expect(answers.filter((one) => one.endsWith(':3'))).toEqual(['1:3', '2:3', '3:3']);
  expect(answers).toEqual(expect.arrayContaining(['1:16', '2:16', '3:16']));
  closeSync(namespace);
});

test('a refusal is an answer, a batch that is none an error', async () => {
  expect(read(await network.netlink(0, null, message(RTM_GETLINK + 1, 0, 7)))).toEqual(['7:2']);
  const cut = message(RTM_GETLINK, 0, 1);
  cut.writeUInt32LE(99, 0);
  await expect(network.netlink(0, null, cut)).rejects.toMatchObject({ code: 'EINVAL', step: 'netlink' });
  await expect(network.netlink(0, 0, message(RTM_GETLINK, 0, 1))).rejects.toMatchObject({ step: 'setns' });
});

test('sysctls are found below /proc/sys alone', async () => {
  await expect(network.writeSysctl(null, 'net/ipv4/nothing', '1')).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(network.writeSysctl(null, '../../etc/passwd', '1')).rejects.toMatchObject({ code: 'EXDEV' });
});

/** A server of ours listens with SO_REUSEADDR, as most do. */
function listen(port: number): Promise<{ port: number; close(): Promise<void> } | string> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.on('error', () => {}).end('bye'));
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    server.listen(port, '127.0.0.1', () => {
      const close = () => new Promise<void>((done) => server.close(() => done()));
      resolve({ port: (server.address() as { port: number }).port, close });
    });
  });
}

async function freePort(): Promise<number> {
  const server = (await listen(0)) as { port: number; close(): Promise<void> };
  await server.close();
  return server.port;
}

const bind = (...args: Parameters<typeof network.bind>): Fd | string => {
  try {
    return network.bind(...args);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code!;
  }
};

test('a held port is nobody else’s, and refuses connections until someone answers', async () => {
  const port = await freePort();
  const held = network.bind('tcp', '0.0.0.0', port);
  expect(bind('tcp', '0.0.0.0', port)).toBe('EADDRINUSE');
  expect(bind('tcp', '127.0.0.1', port)).toBe('EADDRINUSE');
  expect(await listen(port)).toBe('EADDRINUSE');
  const refused = await new Promise((resolve) =>
    connect(port, '127.0.0.1').on('error', (error: NodeJS.ErrnoException) => resolve(error.code)),
  );
  expect(refused).toBe('ECONNREFUSED');
  const udp = network.bind('udp', '127.0.0.1', port);
  expect(bind('udp', '0.0.0.0', port)).toBe('EADDRINUSE');
  const six = bind('tcp', '::', port);
  if (typeof six === 'number') closeSync(six);
  closeSync(udp);
  closeSync(held);
  closeSync(network.bind('tcp', '0.0.0.0', port));
});

test('connections of an earlier server in TIME_WAIT are not in the way', async () => {
  const server = (await listen(0)) as { port: number; close(): Promise<void> };
  await new Promise<void>((resolve) => {
    // The server closes first, so its end is the one that waits.
    connect(server.port, '127.0.0.1')
      .on('close', () => resolve())
      .resume();
  });
  await server.close();
  const held = network.bind('tcp', '127.0.0.1', server.port);
  expect(bind('tcp', '127.0.0.1', server.port)).toBe('EADDRINUSE');
  closeSync(held);
});

test('addresses this host has not, and what is none', () => {
  expect(bind('tcp', '192.0.2.77', 0)).toBe('EADDRNOTAVAIL');
  expect(bind('tcp', 'localhost', 0)).toBe('EINVAL');
});
