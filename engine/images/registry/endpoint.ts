/** Which hosts are asked for an image, in which order. */
import type { Settings } from '../../../schemas/settings.ts';
import type { Reference } from '../reference.ts';

export interface Endpoint {
  /** Host and port, as errors name it. */
  host: string;
  /** Tried in order until one speaks: `https`, `http`. */
  schemes: ('https' | 'http')[];
  /** The repository as this endpoint calls it. */
  repository: string;
  /** Certificates are not verified. */
  isUnverified: boolean;
  isMirror: boolean;
  isLoopback: boolean;
  /** Names that credentials may be filed under. */
  credentialKeys: string[];
}

/** Mirrors of the settings first, then the registry itself. */
export function endpoints(reference: Reference, settings: Settings): Endpoint[] {
  const { mirrors = [], insecure = false } = settings.registries?.[reference.registry] ?? {};
  const own = endpoint(reference.registry, reference.repository, insecure);
  if (reference.registry === 'docker.io') {
    own.host = 'registry-1.docker.io';
    own.credentialKeys = ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io'];
  }
  return [...mirrors.map((mirror) => ({ ...endpoint(mirror, reference.repository, insecure), isMirror: true })), own];
}

/** `place`: `[http[s]://]host[:port][/prefix]`. */
function endpoint(place: string, repository: string, isInsecure: boolean): Endpoint {
  const [, scheme, host, prefix] = /^(?:(https?):\/\/)?([^/]*)\/?(.*?)\/*$/.exec(place) as unknown as [
    string,
    'https' | 'http' | undefined,
    string,
    string,
  ];
  const isLoopback = /^(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?$/.test(host);
  // docker treats loopback as insecure too: nothing on the way can listen.
  const schemes: Endpoint['schemes'] = scheme ? [scheme] : isInsecure || isLoopback ? ['https', 'http'] : ['https'];
  return {
    host,
    schemes,
    repository: prefix ? `${prefix}/${repository}` : repository,
    isUnverified: isInsecure || isLoopback,
    isMirror: false,
    isLoopback,
    credentialKeys: [host],
  };
}
