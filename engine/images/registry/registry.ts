/** One repository at one endpoint, read by the OCI distribution-spec v1.1. */
import { StackError } from '../../../schemas/errors.ts';
import { Client, type Timing } from './client.ts';
import type { Endpoint } from './endpoint.ts';
import { Transient } from './failure.ts';
import { readBytes } from './token.ts';

export { defaultTiming, type Timing } from './client.ts';

export interface Document {
  mediaType: string;
  content: Uint8Array;
  /** Digest the registry names in its header. */
  announced: string | undefined;
}

/** What the specification has every client and registry take, and lets them refuse beyond. Bytes. */
export const documentLimit = 4 * 1024 * 1024;
export const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  '*/*;q=0.1',
].join(', ');

export class Registry implements Disposable {
  readonly client: Client;

  /** `image`: the name as errors show it. */
  constructor(
    endpoint: Endpoint,
    image: string,
    signal: AbortSignal,
    timing: Timing,
    actions: 'pull' | 'pull,push' = 'pull',
  ) {
    const doing = actions === 'pull' ? 'Pulling' : 'Pushing';
    const scopes = [`repository:${endpoint.repository}:${actions}`];
    this.client = new Client(endpoint, { image, doing, signal, timing, scopes });
  }

  get endpoint(): Endpoint {
    return this.client.endpoint;
  }

  /** Path of something in the repository. */
  path(rest: string): string {
    return `/v2/${this.endpoint.repository}/${rest}`;
  }

  /** A manifest or index by tag or digest. @throws StackError of the image group */
  async manifest(reference: string): Promise<Document> {
    const request = this.client.request(`manifest ${reference}`);
    return this.client.retry(async () => {
      const headers = { accept: manifestTypes };
      const answer = await this.client.exchange(request, this.path(`manifests/${reference}`), { headers });
      return {
        mediaType: (answer.header('content-type') ?? '').replace(/;.*$/, '').trim(),
        content: await readBytes(request, answer, documentLimit),
        announced: answer.header('docker-content-digest'),
      };
    });
  }

  /** Digest a tag has now, asked for by HEAD; undefined where the registry names none. */
  async digestOf(reference: string): Promise<string | undefined> {
    const request = this.client.request(`manifest ${reference}`);
    return this.client.retry(async () => {
      const init = { method: 'HEAD' as const, headers: { accept: manifestTypes } };
      // Some proxies in front of registries know no HEAD: then the manifest itself tells.
      const answer = await this.client.exchange(request, this.path(`manifests/${reference}`), init, [400, 405, 501]);
      answer.cancel();
      return answer.status === 200 ? answer.header('docker-content-digest') : undefined;
    });
  }

  /**
   * The bytes of a blob, from position `from` on. A connection that breaks, or ends before `size` bytes came, is taken up where it
   * broke, so that what is already extracted stays of use. Ends early where the registry has no more, and gives more where it
   * has more: the reader checks size and digest.
   */
  async *blob(digest: string, size: number, from = 0): AsyncGenerator<Uint8Array> {
    const request = this.client.request(`blob ${digest}`);
    let at = from;
    for (let failures = 0; ; ) {
      try {
        const headers: Record<string, string> = at > 0 ? { range: `bytes=${at}-` } : {};
        // 416: what came is all there is.
        const answer = await this.client.exchange(
          request,
          this.path(`blobs/${digest}`),
          { headers },
          at > 0 ? [416] : [],
        );
        if (answer.status === 416) {
          answer.cancel();
          return;
        }
        // A registry without ranges begins anew, and one may begin earlier than it was asked to.
        let skip = at - (answer.status === 206 ? rangeStart(answer.header('content-range'), at) : 0);
        for await (const chunk of answer.body()) {
          const fresh = chunk.subarray(Math.min(skip, chunk.length));
          skip -= chunk.length - fresh.length;
          if (fresh.length === 0) continue;
          at += fresh.length;
          failures = 0;
          yield fresh;
        }
        if (at >= size) return;
        throw new Transient(endedEarly(digest, at, size, this.endpoint.host));
      } catch (thrown) {
        if (!(thrown instanceof Transient)) throw thrown;
        if (at >= size) return;
        const isBroken = at > 0 && thrown.error.code === 'image.registry-unreachable';
        const fault = isBroken ? new Transient(brokenOff(thrown.error, digest, at, size)) : thrown;
        await this.client.pause(fault, ++failures);
      }
    }
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}

/** First position of a Content-Range; what was asked for where the header says nothing of use. Source: RFC 9110 section 14.4. */
function rangeStart(header: string | undefined, asked: number): number {
  return Math.min(Number(/^bytes ([0-9]+)-/.exec(header ?? '')?.[1] ?? asked), asked);
}

function endedEarly(digest: string, at: number, size: number, host: string): StackError {
  return new StackError('image.truncated', {
    message: `Blob ${digest} ended after ${at} of ${size} bytes.`,
    hint: `Registry ${host} has no more of it: it is damaged there.`,
  });
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
