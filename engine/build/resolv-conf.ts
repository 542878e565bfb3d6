/** /etc/resolv.conf of build steps. */
import { readFileSync } from 'node:fs';
import { resolverFiles } from '../runtime/spec-files.ts';

/** The second is systemd-resolved's, with the servers that its stub in the first one asks. */
const places = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];
/** What docker falls back to. */
const publicServers = ['8.8.8.8', '8.8.4.4'];

/** The host's, without the name servers that only the host itself reaches. A host without one has public ones. */
export function stepResolvConf(isHostNetwork: boolean, read: (path: string) => string = readText): string {
  const texts = places.map(read);
  if (isHostNetwork) return texts[0]!;
  for (const host of texts) {
    const { upstreams } = resolverFiles({ host, mode: 'stack' } as Parameters<typeof resolverFiles>[0]);
    const dns = upstreams.filter((server) => !/^127\.|^::1$/.test(server));
    if (dns.length > 0) return contentOf(host, dns);
  }
  return contentOf(texts[0]!, publicServers);
}

const contentOf = (host: string, dns: string[]) =>
  resolverFiles({ host, mode: 'host', dns } as Parameters<typeof resolverFiles>[0]).content;

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
