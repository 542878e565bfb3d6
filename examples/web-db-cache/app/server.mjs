// The web service: counts visits in PostgreSQL, keeps the newest count in Redis, answers both as JSON.
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { connectPostgres } from './postgres.mjs';
import { connectRedis } from './redis.mjs';

const port = Number(process.env.PORT ?? 3000);
const database = await connectPostgres({
  host: 'db',
  user: 'postgres',
  password: process.env.POSTGRES_PASSWORD,
  database: 'visits',
});
const cache = await connectRedis({ host: 'cache' });
await database.query('CREATE TABLE IF NOT EXISTS visits (at timestamptz NOT NULL DEFAULT now(), path text NOT NULL)');

async function visit() {
  const previous = await cache.command('GET', 'visits');
  await database.query("INSERT INTO visits (path) VALUES ('/')");
  const [[visits]] = await database.query('SELECT count(*) FROM visits');
  await cache.command('SET', 'visits', visits);
  const [[version]] = await database.query('SHOW server_version');
  return {
    visits: Number(visits),
    previous: previous === null ? null : Number(previous),
    servedBy: hostname(),
    database: `PostgreSQL ${version}`,
    cache: /redis_version:(\S+)/.exec(await cache.command('INFO', 'server'))?.[1],
  };
}

const server = createServer(async (request, response) => {
  try {
    const answer = request.url === '/health' ? { ok: true } : await visit();
    response.setHeader('content-type', 'application/json').end(`${JSON.stringify(answer)}\n`);
  } catch (error) {
    response
      .writeHead(500, { 'content-type': 'application/json' })
      .end(`${JSON.stringify({ error: error.message })}\n`);
  }
});
server.listen(port, () => console.log(`listening on ${port}`));

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
