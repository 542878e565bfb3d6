import { createServer } from 'node:http';
import { greeting } from './greeting.mjs';

const version = process.env.VERSION ?? 'unknown';

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const answer = pathname === '/health' ? { ok: true } : greeting(searchParams.get('name'), version);
  response.setHeader('content-type', 'application/json').end(`${JSON.stringify(answer)}\n`);
});
server.listen(3000, () => console.log(`listening, version ${version}`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.close(() => process.exit(0)));
