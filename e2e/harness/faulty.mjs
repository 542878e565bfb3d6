/**
 * Stands between a client and a real registry, and misbehaves as told: `node faulty.mjs <port> <port of the registry>`.
 * POST /faults takes a list of { pattern, kind, times, bytes?, status?, headers? }; GET /requests gives what came since the last
 * POST, as `METHOD path status`. Kinds: answer (this status), drop (of an answer, after so many bytes), cut (of what is sent,
 * after so many bytes), truncate (the answer ends early, and in order), corrupt (one byte of the answer).
 */
import { createServer, request } from 'node:http';

const [, , port, upstream] = process.argv;
let faults = [];
let requests = [];

const server = createServer((incoming, outgoing) => {
  if (incoming.url === '/faults') {
    let text = '';
    incoming.on('data', (chunk) => {
      text += chunk;
    });
    incoming.on('end', () => {
      faults = JSON.parse(text);
      requests = [];
      outgoing.end();
    });
    return;
  }
  if (incoming.url === '/requests') {
    outgoing.end(JSON.stringify(requests));
    return;
  }
  const line = `${incoming.method} ${incoming.url}`;
  const fault = faults.find(({ pattern, times }) => times > 0 && new RegExp(pattern).test(line));
  if (fault) fault.times--;
  if (fault?.kind === 'answer') {
    requests.push(`${line} ${fault.status}`);
    incoming.resume();
    outgoing.writeHead(fault.status, fault.headers ?? {}).end();
    return;
  }
  const asked = request(
    { host: '127.0.0.1', port: upstream, method: incoming.method, path: incoming.url, headers: incoming.headers },
    (answer) => {
      requests.push(`${line} ${answer.statusCode}`);
      const headers = { ...answer.headers };
      if (fault?.kind === 'truncate') delete headers['content-length'];
      outgoing.writeHead(answer.statusCode, headers);
      let sent = 0;
      answer.on('data', (chunk) => {
        const left = fault?.bytes === undefined ? chunk.length : Math.max(0, fault.bytes - sent);
        if (fault?.kind === 'corrupt' && sent === 0) chunk[chunk.length >> 1] ^= 1;
        const isCut = (fault?.kind === 'drop' || fault?.kind === 'truncate') && chunk.length > left;
        sent += chunk.length;
        if (!isCut) return void outgoing.write(chunk);
        answer.destroy();
        if (fault.kind === 'drop') outgoing.write(chunk.subarray(0, left), () => outgoing.destroy());
        else outgoing.end(chunk.subarray(0, left));
      });
      answer.on('end', () => outgoing.end());
      answer.on('error', () => {});
    },
  );
  asked.on('error', () => outgoing.destroy());
  if (fault?.kind !== 'cut') {
    incoming.pipe(asked);
    return;
  }
  let came = 0;
  let isCut = false;
  incoming.on('data', (chunk) => {
    came += chunk.length;
    asked.write(chunk, () => {
      // Writes that waited for each other are all done at once.
      if (came < fault.bytes || isCut) return;
      isCut = true;
      requests.push(`${line} cut`);
      // What was handed on is to arrive before the end of it does.
      setTimeout(() => {
        asked.destroy();
        incoming.destroy();
      }, 200);
    });
    if (came >= fault.bytes) incoming.pause();
  });
});
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
