/** Which hosts are asked for an image, in which order. */
import type { Settings } from '../../../schemas/settings.ts';
import type { Reference } from '../reference.ts';
import { isInsecure } from './certificates.ts';

export interface Endpoint {
  /** Host and port, as errors name it. */
  host: string;
  /** Tried in order until one speaks: `https`, `http`. */
  schemes: ('https' | 'http')[];
  /** The repository as this endpoint calls it. */
  repository: string;
  isMirror: boolean;
  /** Names that credentials may be filed under, docker's own name for it first. */
  credentialKeys: string[];
  /** Settings by host: of this one and of those it sends to. */
  registries: Settings['registries'];
}

/** Docker's name for the login of Docker Hub. */
export const hubKey = 'https://index.docker.io/v1/';

/** Mirrors of the settings first, then the registry itself. */
export function endpoints(reference: Reference, settings: Settings): Endpoint[] {
  const { mirrors = [] } = settings.registries?.[reference.registry] ?? {};
  const asked = mirrors.map((mirror) => ({ ...endpoint(mirror, reference.repository, settings), isMirror: true }));
  return [...asked, registryEndpoint(reference.registry, reference.repository, settings)];
}

/** The registry itself: what is pushed goes there, and never to a mirror. `registry`: as references carry it. */
export function registryEndpoint(registry: string, repository: string, settings: Settings): Endpoint {
  if (registry !== 'docker.io') return endpoint(registry, repository, settings);
  const hub = endpoint('registry-1.docker.io', repository, settings);
  return { ...hub, credentialKeys: [hubKey, 'index.docker.io', 'docker.io', 'registry-1.docker.io'] };
}

/** `place`: `[http[s]://]host[:port][/prefix]`. */
function endpoint(place: string, repository: string, { registries }: Settings): Endpoint {
  const [, scheme, host, prefix] = /^(?:(https?):\/\/)?([^/]*)\/?(.*?)\/*$/.exec(place) as unknown as [
    string,
    'https' | 'http' | undefined,
    string,
    string,
  ];
  return {
    host,
    schemes: scheme ? [scheme] : isInsecure(registries, host) ? ['https', 'http'] : ['https'],
    repository: prefix ? `${prefix}/${repository}` : repository,
    isMirror: false,
    credentialKeys: [host],
    registries,
  };
}
