// The rest of the world, as a private host sees it: a web server that tells callers their address, a UDP echo, and a
// name server (RFC 1035) that knows the names of this network and refuses none. Listens on all addresses of its namespace.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';

const addresses = { 'world.test': '192.0.2.2', 'other.world.test': '192.0.2.77' };

createServer((request, response) => {
  response.end(`${request.socket.remoteAddress?.replace('::ffff:', '')} ${request.method} ${request.url}\n`);
}).listen(80, '::', () => console.log('web'));

const echo = createSocket('udp4');
echo.on('message', (message, from) => echo.send(`${from.address} ${message}`, from.port, from.address));
echo.bind(7);

function readName(message, offset) {
  const labels = [];
  let at = offset;
  while (message[at] !== 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]));
    at += 1 + message[at];
  }
  return [labels.join('.').toLowerCase(), at + 1];
}

function answer(query) {
  const [name, end] = readName(query, 12);
  const type = query.readUInt16BE(end);
  const records = [];
  const record = (kind, data) => {
    const head = Buffer.from([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 255]);
    records.push(Buffer.concat([head, data]));
  };
  const isKnown = name in addresses || name === 'big.world.test' || name.endsWith('.in-addr.arpa');
  if (type === 1 && addresses[name]) record(1, Buffer.from(addresses[name].split('.').map(Number)));
  if (type === 1 && name === 'big.world.test') {
    for (let index = 0; index < 60; index++) record(1, Buffer.from([198, 51, 100, index + 1]));
  }
  const header = Buffer.from(query.subarray(0, 12));
  header[2] = 0x80 | (query[2] & 1);
  header[3] = 0x80 | (isKnown ? 0 : 3);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  return Buffer.concat([header, query.subarray(12, end + 4), ...records]);
}

const names = createSocket('udp4');
names.on('message', (query, from) => {
  let message = answer(query);
  if (message.length > 512) {
    const [, end] = readName(query, 12);
    message = Buffer.from(message.subarray(0, end + 4));
    message[2] |= 2;
    message.writeUInt16BE(0, 6);
  }
  names.send(message, from.port, from.address);
});
names.bind(53, () => console.log('names'));

createTcpServer((socket) => {
  let pending = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const length = pending.readUInt16BE(0);
      const message = answer(pending.subarray(2, 2 + length));
      socket.write(Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message]));
      pending = pending.subarray(2 + length);
    }
  });
}).listen(53, '::', () => console.log('names over tcp'));
