/** One blob into a repository. Source: distribution-spec v1.1 "Pushing Blobs". */
import { StackError } from '../../../schemas/errors.ts';
import type { Client } from './client.ts';
import { type Request, Transient } from './failure.ts';
import type { Registry } from './registry.ts';
import type { Answer, Init } from './transport.ts';

export interface BlobSource {
  digest: string;
  size: number;
  /** The bytes from `from` to before `to`, as often as asked. */
  open(from: number, to: number): AsyncIterable<Uint8Array>;
}

export interface UploadOptions {
  /** Repositories of the same registry that may have it already. */
  mountFrom?: string[];
  onProgress?: (bytes: number) => void;
  /** Bytes of a chunk. */
  chunkSize?: number;
}

/** `present`: it was there; `mounted`: shared with another repository. */
export type Uploaded = 'present' | 'mounted' | 'uploaded';

/** A drop costs at most this much again, and a chunk costs a round trip. Bytes. */
const usualChunk = 64 * 1024 * 1024;
/** Up to this size a single request costs less than what a drop would save. Bytes. */
const monolithicLimit = 4 * 1024 * 1024;
/** Registries that have no chunks answer the first one with one of these. */
const chunkRefusals = [400, 404, 405, 411, 413, 415, 501];
/** More repositories are not tried: each costs a request. */
const mountLimit = 3;

interface Session {
  location: string;
  /** Bytes the registry has. */
  at: number;
  chunk: number;
}

/** @throws StackError of the image group; `plan.interrupted` */
export async function uploadBlob(
  registry: Registry,
  source: BlobSource,
  options: UploadOptions = {},
): Promise<Uploaded> {
  return new Upload(registry, source, options).run();
}

class Upload {
  readonly #registry: Registry;
  readonly #client: Client;
  readonly #source: BlobSource;
  readonly #options: UploadOptions;
  readonly #request: Request;
  #session: Session | undefined;
  #isMonolithic: boolean;
  /** Repositories left to mount from. */
  readonly #mountFrom: string[];

  constructor(registry: Registry, source: BlobSource, options: UploadOptions) {
    this.#registry = registry;
    this.#client = registry.client;
    this.#source = source;
    this.#options = options;
    this.#request = registry.client.request(`blob ${source.digest}`);
    this.#isMonolithic = source.size <= (options.chunkSize ?? monolithicLimit);
    this.#mountFrom = (options.mountFrom ?? []).slice(0, mountLimit);
  }

  async run(): Promise<Uploaded> {
    for (let failures = 0, before = 0; ; ) {
      try {
        const done = await this.#attempt();
        if (done) return done;
      } catch (thrown) {
        if (!(thrown instanceof Transient)) {
          await this.#cancel();
          throw thrown;
        }
        await this.#client.pause(thrown, ++failures);
        await this.#resume();
        // What came further since the last failure may fail as often again.
        if ((this.#session?.at ?? 0) > before) failures = 0;
        before = this.#session?.at ?? 0;
      }
    }
  }

  /** Undefined: to be tried again in another way. */
  async #attempt(): Promise<Uploaded | undefined> {
    const { size } = this.#source;
    if (!this.#session) {
      const begun = await this.#begin();
      if (begun) return begun;
    }
    const session = this.#session!;
    this.#options.onProgress?.(session.at);
    if (this.#isMonolithic && session.at === 0) {
      await this.#close(session, 0, size);
      return 'uploaded';
    }
    while (session.at < size) if (!(await this.#patch(session))) return undefined;
    await this.#close(session, size, size);
    return 'uploaded';
  }

  /** Looks whether it is there, mounts it, or opens a session. */
  async #begin(): Promise<Uploaded | undefined> {
    const { digest } = this.#source;
    if (await this.#isPresent()) return 'present';
    for (let from = this.#mountFrom[0]; from !== undefined; from = this.#mountFrom[0]) {
      const query = `?mount=${digest}&from=${encodeURIComponent(from)}`;
      // Where the login may not read there, or the registry knows no mounting, it is uploaded.
      const answer = await this.#ask(
        this.#registry.path(`blobs/uploads/${query}`),
        { method: 'POST' },
        [201, 202, 400, 401, 403, 404, 405],
      );
      this.#mountFrom.shift();
      if (answer.status === 201) return 'mounted';
      if (answer.status === 202) {
        if (this.#mountFrom.length === 0) return this.#opened(answer);
        await this.#cancel(locationOf(answer));
      }
    }
    const algorithm = digest.startsWith('sha256:') ? '' : `?digest-algorithm=${digest.replace(/:.*/, '')}`;
    return this.#opened(await this.#ask(this.#registry.path(`blobs/uploads/${algorithm}`), { method: 'POST' }, [202]));
  }

  async #isPresent(): Promise<boolean> {
    const { digest, size } = this.#source;
    const answer = await this.#ask(this.#registry.path(`blobs/${digest}`), { method: 'HEAD' }, [404, 405]);
    const length = answer.header('content-length');
    return answer.status === 200 && (length === undefined || Number(length) === size);
  }

  #opened(answer: Answer): undefined {
    const location = locationOf(answer);
    if (!location) throw this.#protocol(`answers ${answer.status} to an upload, without a place for it`);
    const { chunkSize = usualChunk } = this.#options;
    const least = Number(answer.header('oci-chunk-min-length') ?? 0);
    this.#session = { location, at: 0, chunk: Number.isSafeInteger(least) ? Math.max(chunkSize, least) : chunkSize };
  }

  /** Sends the next chunk; false where the registry takes none. */
  async #patch(session: Session): Promise<boolean> {
    const { size } = this.#source;
    const from = session.at;
    const to = Math.min(size, from + session.chunk);
    const headers = { 'content-type': 'application/octet-stream', 'content-range': `${from}-${to - 1}` };
    const init = { method: 'PATCH' as const, headers, content: this.#content(from, to) };
    const answer = await this.#ask(session.location, init, [201, 202, 204, 416, ...(from === 0 ? chunkRefusals : [])]);
    if (answer.status === 416) throw new Transient(this.#protocol('has another part of the upload than it said'));
    if (answer.status >= 400) {
      await this.#cancel();
      this.#isMonolithic = true;
      return false;
    }
    session.location = locationOf(answer) ?? session.location;
    const taken = rangeEnd(answer.header('range')) ?? to;
    if (taken <= from || taken > to)
      throw new Transient(this.#protocol(`takes ${taken} bytes of an upload that has ${to}`));
    session.at = taken;
    this.#options.onProgress?.(taken);
    return true;
  }

  /** Ends the session, with the rest of the bytes. */
  async #close(session: Session, from: number, to: number): Promise<void> {
    const { location } = session;
    const url = `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(this.#source.digest)}`;
    const content = this.#content(from, to);
    const headers = { 'content-type': 'application/octet-stream' };
    const init = { method: 'PUT' as const, headers, content, patience: this.#client.timing.settle };
    const answer = await this.#ask(url, init, [201, 202, 204, 416]);
    if (answer.status === 416) throw new Transient(this.#protocol('has another part of the upload than it said'));
    this.#session = undefined;
    this.#options.onProgress?.(to);
  }

  /** After a failure: where the registry stands. Without an answer the upload begins anew. */
  async #resume(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#session = undefined;
    try {
      const answer = await this.#ask(session.location, { method: 'GET' }, [204, 202, 404]);
      const at = rangeEnd(answer.header('range')) ?? 0;
      if (answer.status === 404 || at > this.#source.size) return;
      this.#session = { ...session, location: locationOf(answer) ?? session.location, at };
    } catch (thrown) {
      if (!(thrown instanceof Transient) && (thrown as StackError).code !== 'image.registry-protocol') throw thrown;
    }
  }

  /** Frees what the registry keeps of it; it would do so by itself in time. */
  async #cancel(location = this.#session?.location): Promise<void> {
    if (location === this.#session?.location) this.#session = undefined;
    if (!location) return;
    await this.#ask(location, { method: 'DELETE' }, [204, 404, 405]).catch(() => undefined);
  }

  #content(from: number, to: number) {
    const { onProgress } = this.#options;
    const { open } = this.#source;
    async function* bytes() {
      let at = from;
      for await (const chunk of open(from, to)) {
        yield chunk;
        at += chunk.length;
        onProgress?.(at);
      }
    }
    return { size: to - from, open: to > from ? bytes : () => [] };
  }

  /** Answers of uploads have no content of use. */
  async #ask(target: string, init: Init, statuses: number[]): Promise<Answer> {
    const answer = await this.#client.exchange(this.#request, target, init, statuses);
    answer.cancel();
    return answer;
  }

  #protocol(what: string): StackError {
    const { endpoint, image } = this.#request;
    return new StackError('image.registry-protocol', {
      message: `Registry ${endpoint.host} ${what} (${this.#request.what} of ${image}).`,
      hint: 'The fault is at the registry; try again.',
      resource: `image ${image}`,
    });
  }
}

/** Location is an address or a path; its query is the registry's own. */
function locationOf(answer: Answer): string | undefined {
  return URL.parse(answer.header('location') ?? '', answer.url)?.href;
}

/** Bytes there are, of `0-<last>`. `0-0` is what registries say of none. */
function rangeEnd(header: string | undefined): number | undefined {
  const end = /^(?:bytes=)?0-([0-9]+)$/.exec(header ?? '')?.[1];
  return end === undefined ? undefined : end === '0' ? 0 : Number(end) + 1;
}
