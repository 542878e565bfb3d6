// What apt-get in a build asks its proxy for: Debian's signed index, and the packages that were fetched with it. The folder is
// that of scripts/base-images/packages.ts. Usage: node debian-proxy.mjs FOLDER PORT
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';

const [folder, port] = process.argv.slice(2);
const byHash = new Map(
  readdirSync(folder).map((name) => [
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex'),
    name,
  ]),
);

createServer((request, response) => {
  const last = decodeURIComponent(basename(new URL(request.url, 'http://localhost').pathname));
  // Escaped as in apt's own names: an epoch's colon.
  const name = byHash.get(last) ?? [...byHash.values()].find((one) => decodeURIComponent(one) === last);
  if (name) createReadStream(join(folder, name)).pipe(response);
  else response.writeHead(404).end();
}).listen(Number(port), '0.0.0.0', () => console.log('serving'));
