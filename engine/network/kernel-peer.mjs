// A process in a network namespace that serves and asks, one JSON line for each request and each answer.
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const TIMEOUT_MS = 700;
const plain = (address) => address.replace(/^::ffff:/, '');

const operations = {
  // Answers every connection and datagram with the address it came from.
  serve: ({ kind, port, host }) =>
    new Promise((resolve, reject) => {
      if (kind === 'tcp') {
        const server = createServer((socket) => socket.on('error', () => {}).end(plain(socket.remoteAddress ?? '?')));
        server.on('error', reject).listen(port, host, () => resolve('serving'));
      } else {
        const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
        socket.on('message', (_, from) => socket.send(plain(from.address), from.port, from.address));
        socket.on('error', reject).bind(port, host, () => resolve('serving'));
      }
    }),
  // The answer, or the errno's name, or `silence`.
  ask: ({ kind, port, host, from }) =>
    new Promise((resolve) => {
      if (kind === 'tcp') {
        const socket = connect({ host, port, timeout: TIMEOUT_MS });
        let text = '';
        socket.on('data', (data) => {
          text += data;
        });
        socket.on('end', () => resolve(text));
        socket.on('error', (error) => resolve(error.code));
        socket.on('timeout', () => {
          resolve('silence');
          socket.destroy();
        });
      } else {
        const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
        const timer = setTimeout(() => {
          resolve('silence');
          socket.close();
        }, TIMEOUT_MS);
        socket.on('message', (data) => {
          clearTimeout(timer);
          resolve(String(data));
          socket.close();
        });
        socket.on('error', (error) => resolve(error.code));
        if (from) socket.bind(from, () => socket.send('?', port, host));
        else socket.send('?', port, host);
      }
    }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const answer = await operations[request.operation](request).catch((error) => error.code);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
