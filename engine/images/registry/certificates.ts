/**
 * What TLS trusts and shows at a registry: the settings', and docker's folder for the host. Source: docker's "Verify repository
 * client with certificates"; Go's crypto/x509 for where systems keep their bundle.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { StackError } from '../../../schemas/errors.ts';
import type { Settings } from '../../../schemas/settings.ts';
import { isLoopback } from './proxy.ts';

type Registries = NonNullable<Settings['registries']>;

/** `<host[:port]>/*.crt` are authorities, `*.cert` with `*.key` certificates of ours. */
const dockerFolder = '/etc/docker/certs.d';
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

export interface TlsOptions {
  rejectUnauthorized: boolean;
  secureContext: SecureContext;
}

/** Files for a host, by path. */
interface Files {
  authorities: string[];
  pair?: { cert: string; key: string };
}

/** The settings of a host, under its name with or without the port. */
export function registrySettings(registries: Registries | undefined, host: string) {
  const isOwn = (name: string) => Object.hasOwn(registries ?? {}, name);
  if (isOwn(host)) return registries![host]!;
  const bare = host.replace(/:(?:443|80)$/, '');
  return isOwn(bare) ? registries![bare]! : {};
}

/** Whether plain HTTP and unverified certificates will do: the name is listed so, or it is this machine itself. */
export function isInsecure(registries: Registries | undefined, host: string): boolean {
  const { insecure, ca, clientCert } = registrySettings(registries, host);
  // Who names an authority for this machine's own registry wants it verified.
  return insecure ?? (!ca && !clientCert && isLoopback(host.replace(/:[0-9]+$/, '').replace(/^\[(.*)\]$/, '$1')));
}

/** @throws StackError `config.unreadable`, `config.value` that names the file */
export function tlsOptions(registries: Registries | undefined, host: string, folder = dockerFolder): TlsOptions {
  const { authorities, pair } = filesFor(registries, host, folder);
  const own = authorities.map((path) => authority(host, path));
  const rejectUnauthorized = !isInsecure(registries, host);
  try {
    const ca = rejectUnauthorized ? [...systemAuthorities(), ...own] : own;
    return {
      rejectUnauthorized,
      secureContext: createSecureContext({
        ...(ca.length > 0 ? { ca } : {}),
        ...(pair ? { cert: read(pair.cert), key: read(pair.key) } : {}),
      }),
    };
  } catch (thrown) {
    if (thrown instanceof StackError) throw thrown;
    const files = [...authorities, ...(pair ? [pair.cert, pair.key] : [])].join(', ');
    throw new StackError('config.value', {
      message: `The certificates for registry ${host} cannot be used: ${(thrown as Error).message}.`,
      hint: `They must be PEM, and the key the certificate's own: ${files}.`,
      cause: thrown,
    });
  }
}

/** OpenSSL passes over a file without a certificate in it, and the host would be refused for want of one. */
function authority(host: string, path: string): Buffer {
  const content = read(path);
  if (content.includes('-----BEGIN ')) return content;
  throw new StackError('config.value', {
    message: `The certificate file ${path} for registry ${host} holds no certificate.`,
    hint: 'It must be PEM: text with BEGIN CERTIFICATE in it.',
  });
}

function filesFor(registries: Registries | undefined, host: string, folder: string): Files {
  const { ca, clientCert, clientKey } = registrySettings(registries, host);
  const found: Files = { authorities: ca ? [ca] : [] };
  if (clientCert) found.pair = { cert: clientCert, key: clientKey ?? clientCert };
  let names: string[] = [];
  try {
    names = /^[\w.:[\]-]+$/.test(host) ? readdirSync(join(folder, host)).sort() : [];
  } catch {
    // Most hosts have none.
  }
  for (const name of names) {
    const path = join(folder, host, name);
    if (name.endsWith('.crt')) found.authorities.push(path);
    if (name.endsWith('.cert')) found.pair ??= { cert: path, key: path.replace(/\.cert$/, '.key') };
  }
  return found;
}

/** The machine's bundle, as programs in Go take it; Node's own where there is none. */
function systemAuthorities(environment: NodeJS.ProcessEnv = process.env): (string | Buffer)[] {
  const bundle = environment.SSL_CERT_FILE || systemBundles.find((path) => existsSync(path));
  const extra = environment.NODE_EXTRA_CA_CERTS;
  return [...(bundle ? [read(bundle)] : rootCertificates), ...(extra && existsSync(extra) ? [read(extra)] : [])];
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw new StackError('config.unreadable', {
      message: `The certificate file ${path} cannot be read: ${(thrown as NodeJS.ErrnoException).code}.`,
      hint: 'Correct it in the settings, or make the file readable.',
      cause: thrown,
    });
  }
}
