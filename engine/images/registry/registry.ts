/** One repository at one endpoint, spoken to by the OCI distribution-spec v1.1 (pull). */
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from '../../../schemas/errors.ts';
import { interruption } from '../locks.ts';
import { authorize } from './authorization.ts';
import type { Endpoint } from './endpoint.ts';
import { faultOf, type Request, refusal, Transient } from './failure.ts';
import { type Answer, Transport } from './transport.ts';

export interface Timing {
  /** Tries of one request. */
  tries: number;
  /** Milliseconds before the second try; doubled for each further one, with jitter. */
  backoff: number;
  /** Longest wait a registry may ask for by Retry-After, in milliseconds; beyond it the request fails. */
  longestWait: number;
  /** Milliseconds without a byte after which a connection counts as dead. */
  stall: number;
}

export const defaultTiming: Timing = { tries: 3, backoff: 400, longestWait: 60_000, stall: 30_000 };

export interface Document {
  mediaType: string;
  content: Uint8Array;
  /** Digest the registry names in its header. */
  announced: string | undefined;
}

/** distribution-spec lets registries refuse manifests above 4 MiB. */
const documentLimit = 8 * 1024 * 1024;
const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  '*/*;q=0.1',
].join(', ');

export class Registry {
  readonly endpoint: Endpoint;
  readonly #image: string;
  readonly #signal: AbortSignal;
  readonly #timing: Timing;
  readonly #transport: Transport;
  #authorization: string | undefined;

  /** `image`: the name as errors show it. */
  constructor(endpoint: Endpoint, image: string, signal: AbortSignal, timing: Timing) {
    this.endpoint = { ...endpoint };
    this.#image = image;
    this.#signal = signal;
    this.#timing = timing;
    this.#transport = new Transport(this.endpoint, signal, timing.stall, () => this.#interrupted());
  }

  /** A manifest or index by tag or digest. @throws StackError of the image group */
  async manifest(reference: string): Promise<Document> {
    const request = this.#request(`manifest ${reference}`);
    return this.#retry(async () => {
      const answer = await this.#get(request, `manifests/${reference}`, { accept: manifestTypes });
      const parts: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of this.#transport.body(request, answer)) {
        size += chunk.length;
        if (size > documentLimit) {
          throw new StackError('image.registry-protocol', {
            message: `Registry ${this.endpoint.host} sends a manifest of more than ${documentLimit} bytes for ${this.#image}.`,
          });
        }
        parts.push(chunk);
      }
      const announced = answer.headers.get('docker-content-digest') ?? undefined;
      const mediaType = (answer.headers.get('content-type') ?? '').replace(/;.*$/, '').trim();
      return { mediaType, content: Buffer.concat(parts), announced };
    });
  }

  /** Digest a tag has now, asked for by HEAD; undefined where the registry names none. */
  async digestOf(reference: string): Promise<string | undefined> {
    const request = this.#request(`manifest ${reference}`);
    return this.#retry(async () => {
      try {
        const answer = await this.#get(request, `manifests/${reference}`, { accept: manifestTypes }, 'HEAD');
        answer.cancel();
        return answer.headers.get('docker-content-digest') ?? undefined;
      } catch (thrown) {
        // Some proxies in front of registries know no HEAD: then the manifest itself tells.
        if (thrown instanceof StackError && thrown.code === 'image.registry-protocol') return undefined;
        throw thrown;
      }
    });
  }

  /**
   * The bytes of a blob. A connection that breaks is taken up again where it broke, so that what is already extracted stays
   * of use. Ends early where the registry has no more: the reader checks size and digest.
   */
  async *blob(digest: string, size: number): AsyncGenerator<Uint8Array> {
    const request = this.#request(`blob ${digest}`);
    let at = 0;
    for (let failures = 0; ; ) {
      try {
        const range: Record<string, string> = at > 0 ? { range: `bytes=${at}-` } : {};
        const answer = await this.#get(request, `blobs/${digest}`, range);
        let skip = answer.status === 206 ? 0 : at;
        for await (const chunk of this.#transport.body(request, answer)) {
          const fresh = chunk.subarray(Math.min(skip, chunk.length));
          skip -= chunk.length - fresh.length;
          if (fresh.length === 0) continue;
          at += fresh.length;
          failures = 0;
          yield fresh;
        }
        return;
      } catch (thrown) {
        if (!(thrown instanceof Transient)) throw thrown;
        if (at >= size) return;
        const isBroken = at > 0 && thrown.error.code === 'image.registry-unreachable';
        await this.#pause(isBroken ? new Transient(brokenOff(thrown.error, digest, at, size)) : thrown, ++failures);
      }
    }
  }

  #request(what: string): Request {
    return { endpoint: this.endpoint, image: this.#image, what };
  }

  async #retry<T>(attempt: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; ) {
      try {
        return await attempt();
      } catch (thrown) {
        if (!(thrown instanceof Transient)) throw thrown;
        await this.#pause(thrown, ++failures);
      }
    }
  }

  /** Waits before the next try; throws where there is none. */
  async #pause(fault: Transient, failures: number): Promise<void> {
    const { tries, backoff, longestWait } = this.#timing;
    const delay = fault.afterMs ?? backoff * 2 ** (failures - 1) * (0.75 + Math.random() / 2);
    if (failures >= tries || delay > longestWait) throw fault.error;
    try {
      await sleep(delay, undefined, { signal: this.#signal });
    } catch {
      throw this.#interrupted();
    }
  }

  /** One request with its authorization; throws Transient or StackError for anything but success. */
  async #get(request: Request, path: string, headers: Record<string, string>, method = 'GET'): Promise<Answer> {
    const url = `/v2/${this.endpoint.repository}/${path}`;
    let answer = await this.#send(request, url, method, headers);
    if (answer.status === 200 || answer.status === 206) return answer;
    let detail = await this.#detail(answer);
    if (answer.status === 401) {
      const challenge = answer.headers.get('www-authenticate');
      this.#authorization = await authorize(request, challenge, (to, init) =>
        this.#transport.exchange(request, to, init),
      );
      if (this.#authorization) {
        answer = await this.#send(request, url, method, headers);
        if (answer.status === 200 || answer.status === 206) return answer;
        detail = await this.#detail(answer);
      }
    }
    throw refusal(request, answer.status, answer.headers.get('retry-after'), detail);
  }

  /** Sends to the first scheme that speaks, and stays with it. */
  async #send(request: Request, path: string, method: string, headers: Record<string, string>): Promise<Answer> {
    const { schemes, host } = this.endpoint;
    const authorization: Record<string, string> = this.#authorization ? { authorization: this.#authorization } : {};
    for (const [index, scheme] of schemes.entries()) {
      try {
        const init = { method, headers: { ...headers, ...authorization } };
        const answer = await this.#transport.exchange(request, `${scheme}://${host}${path}`, init);
        this.endpoint.schemes = [scheme];
        return answer;
      } catch (thrown) {
        if (index === schemes.length - 1 || !isNetworkFault(thrown)) throw thrown;
      }
    }
    throw new Error('an endpoint has at least one scheme');
  }

  /** The registry's own words. Source: distribution-spec "Error Codes". */
  async #detail(answer: Answer): Promise<string> {
    try {
      let text = '';
      for await (const chunk of this.#transport.body(this.#request(''), answer)) {
        text += Buffer.from(chunk).toString('latin1');
        if (text.length > 64 * 1024) break;
      }
      const { errors } = JSON.parse(text) as { errors?: { code?: string; message?: string }[] };
      return (errors ?? [])
        .map(({ code, message }) => message || code)
        .join('; ')
        .slice(0, 200);
    } catch {
      return '';
    }
  }

  #interrupted(): StackError {
    return interruption(`Pulling ${this.#image}`);
  }
}

function brokenOff(error: StackError, digest: string, at: number, size: number): StackError {
  return new StackError('image.truncated', {
    message: `Blob ${digest} ended after ${at} of ${size} bytes, each time anew. ${error.message}`,
    hint: 'The registry, or a proxy on the way, cuts it off; try later or by another way.',
    resource: error.resource,
    operation: error.operation,
    cause: error.cause,
  });
}

function isNetworkFault(thrown: unknown): boolean {
  const error = plain(thrown);
  return (
    error instanceof StackError &&
    error.code === 'image.registry-unreachable' &&
    faultOf(error.cause).code !== 'STALLED'
  );
}

function plain(thrown: unknown): unknown {
  return thrown instanceof Transient ? thrown.error : thrown;
}
