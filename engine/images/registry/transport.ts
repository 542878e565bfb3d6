/** HTTP for registries: fetch with proxies, unverified certificates where they are allowed, and a clock for silence. */
import { StackError } from '../../../schemas/errors.ts';
import type { Endpoint } from './endpoint.ts';
import { type Request, unreachable } from './failure.ts';

export interface Answer {
  status: number;
  headers: Headers;
  body: ReadableStream<Uint8Array> | null;
  /** Starts the clock of silence anew, and stops it. */
  expect(): void;
  rest(): void;
  /** The answer is read to its end. */
  release(): void;
  /** The rest of the answer is not wanted. */
  cancel(): void;
}

export class Transport {
  readonly #endpoint: Endpoint;
  readonly #signal: AbortSignal;
  readonly #stall: number;
  readonly #interrupted: () => StackError;
  #client: Promise<typeof fetch> | undefined;

  /** `stall`: milliseconds without a byte after which a connection counts as dead. */
  constructor(endpoint: Endpoint, signal: AbortSignal, stall: number, interrupted: () => StackError) {
    this.#endpoint = endpoint;
    this.#signal = signal;
    this.#stall = stall;
    this.#interrupted = interrupted;
  }

  /** One request, redirects followed. @throws StackError, Transient */
  async exchange(request: Request, url: string, init: RequestInit): Promise<Answer> {
    if (this.#signal.aborted) throw this.#interrupted();
    const stop = new AbortController();
    const onAbort = () => stop.abort(this.#interrupted());
    this.#signal.addEventListener('abort', onAbort, { once: true });
    const arm = () => setTimeout(() => stop.abort(stalled()), this.#stall);
    let timer = arm();
    const release = () => {
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', onAbort);
    };
    try {
      this.#client ??= clientFor(this.#endpoint);
      const client = await this.#client;
      // Compressed transfers would change the bytes that digests speak of.
      const headers = {
        'accept-encoding': 'identity',
        'user-agent': 'stack',
        ...(init.headers as Record<string, string>),
      };
      const response = await client(url, { ...init, headers, signal: stop.signal, redirect: 'follow' });
      return {
        status: response.status,
        headers: response.headers,
        body: response.body,
        expect: () => {
          clearTimeout(timer);
          timer = arm();
        },
        rest: () => clearTimeout(timer),
        release,
        cancel: () => {
          release();
          void response.body?.cancel().catch(() => undefined);
        },
      };
    } catch (thrown) {
      release();
      throw thrown instanceof StackError ? thrown : unreachable(request, thrown);
    }
  }

  /** The bytes of an answer. @throws StackError, Transient where it breaks off or falls silent */
  async *body(request: Request, answer: Answer): AsyncGenerator<Uint8Array> {
    const reader = answer.body?.getReader();
    if (!reader) {
      answer.release();
      return;
    }
    let isDone = false;
    try {
      for (;;) {
        answer.expect();
        const { done, value } = await reader.read();
        // The clock stands still while the reader of this is busy.
        answer.rest();
        if (done) break;
        yield value;
      }
      isDone = true;
    } catch (thrown) {
      throw thrown instanceof StackError ? thrown : unreachable(request, thrown);
    } finally {
      answer.release();
      if (!isDone) void reader.cancel().catch(() => undefined);
    }
  }
}

/** Node's own fetch where it will do; undici's where certificates or a proxy need a setting that Node's takes none for. */
async function clientFor({ isUnverified, isLoopback, schemes }: Endpoint): Promise<typeof fetch> {
  const { env } = process;
  // Proxies are for other machines: as docker, loopback is always reached directly.
  const isProxied = !isLoopback && Boolean(env.HTTPS_PROXY || env.https_proxy || env.HTTP_PROXY || env.http_proxy);
  const isLax = isUnverified && schemes.includes('https');
  if (!isProxied && !isLax) return globalThis.fetch;
  // By its default: that is all the bundle has of a CommonJS package that is imported on demand.
  const { default: undici } = await import('undici');
  const tls = { rejectUnauthorized: !isUnverified };
  const dispatcher = isProxied
    ? new undici.EnvHttpProxyAgent({ connect: tls, requestTls: tls })
    : new undici.Agent({ connect: tls });
  return ((url: string, init: object) => undici.fetch(url, { ...init, dispatcher })) as unknown as typeof fetch;
}

function stalled(): Error {
  return Object.assign(new Error('no byte came for too long'), { code: 'STALLED' });
}
