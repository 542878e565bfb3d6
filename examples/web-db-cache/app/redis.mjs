// A Redis client as small as this example needs (RESP 2, https://redis.io/docs/latest/develop/reference/protocol-spec/).
import { connect } from 'node:net';

/** Reads one reply at `offset`: [value, next offset], or undefined while it is incomplete. */
function reply(buffer, offset) {
  const end = buffer.indexOf('\r\n', offset);
  if (end < 0) return undefined;
  const line = buffer.toString('utf8', offset + 1, end);
  const kind = String.fromCharCode(buffer[offset]);
  if (kind === '+' || kind === ':') return [line, end + 2];
  if (kind === '-') return [new Error(line), end + 2];
  if (kind !== '$') return [new Error(`unexpected reply ${kind}${line}`), end + 2];
  const size = Number(line);
  if (size < 0) return [null, end + 2];
  if (buffer.length < end + 2 + size + 2) return undefined;
  return [buffer.toString('utf8', end + 2, end + 2 + size), end + 2 + size + 2];
}

export async function connectRedis({ host, port = 6379 }) {
  const waiting = [];
  let buffer = Buffer.alloc(0);
  let socket;
  const fail = (error) => {
    socket = undefined;
    buffer = Buffer.alloc(0);
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  // A cache that was restarted is found again by name on the next command.
  const open = () =>
    new Promise((resolve, reject) => {
      const next = connect(port, host, () => resolve(next));
      next.on('error', (error) => {
        reject(error);
        fail(error);
      });
      next.on('close', () => fail(new Error('the cache closed the connection')));
      next.on('data', (chunk) => {
        buffer = Buffer.concat([buffer, chunk]);
        for (let read = reply(buffer, 0); read; read = buffer.length > 0 ? reply(buffer, 0) : undefined) {
          buffer = buffer.subarray(read[1]);
          const { resolve: done, reject: failed } = waiting.shift();
          if (read[0] instanceof Error) failed(read[0]);
          else done(read[0]);
        }
      });
    });
  socket = await open();
  return {
    async command(...words) {
      socket ??= await open();
      const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        socket.write(`*${words.length}\r\n${parts.join('')}`);
      });
    },
  };
}
