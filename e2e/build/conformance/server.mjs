// Files for ADD over HTTP, on 127.0.0.1:8970: what is served is the same for docker and for ours.
import { createServer } from 'node:http';

const files = {
  '/plain.txt': ['plain text\n', 'Wed, 01 Jan 2020 00:00:00 GMT'],
  '/undated.txt': ['without a date\n'],
  '/folder/': ['an index\n'],
  '/named': ['named by its header\n', undefined, 'attachment; filename="header.txt"'],
};

createServer((request, response) => {
  const path = new URL(request.url, 'http://127.0.0.1').pathname;
  if (path === '/moved') return response.writeHead(302, { location: '/plain.txt' }).end();
  const [text, modified, disposition] = files[path] ?? [];
  if (text === undefined) return response.writeHead(404).end('nothing here\n');
  response.writeHead(200, {
    'content-type': 'text/plain',
    'content-length': Buffer.byteLength(text),
    ...(modified ? { 'last-modified': modified } : {}),
    ...(disposition ? { 'content-disposition': disposition } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}).listen(8970, '127.0.0.1', () => console.log('serving'));
