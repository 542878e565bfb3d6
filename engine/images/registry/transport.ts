/** HTTP for registries: redirects that keep logins at home, and a clock for silence. */
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { StackError } from '../../../schemas/errors.ts';
import { Agents } from './agents.ts';
import type { Endpoint } from './endpoint.ts';
import { type Request, sentAway, unreachable } from './failure.ts';

/** Content to send, as often as it takes. */
export interface Content {
  size: number;
  open(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface Init {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers?: Record<string, string>;
  content?: Content;
  /** The content is for the host that is asked, and for no other that it sends to. */
  isSecret?: boolean;
  /** Milliseconds of silence after which the connection counts as dead, where it is not the usual. */
  patience?: number;
}

export interface Answer {
  status: number;
  /** Of the answer: by name in small letters; several of one name are joined by a comma. */
  header(name: string): string | undefined;
  /** Where the answer came from, after redirects. */
  url: URL;
  /** Its bytes. @throws StackError, Transient where it breaks off or falls silent */
  body(): AsyncGenerator<Uint8Array>;
  /** The rest of the answer is not wanted. */
  cancel(): void;
}

const redirectLimit = 5;
/** Longest wait for a connection: a host that swallows packets would take minutes. Milliseconds. */
const connectLimit = 10_000;

export class Transport implements Disposable {
  readonly #signal: AbortSignal;
  readonly #stall: number;
  readonly #interrupted: () => StackError;
  readonly #agents: Agents;

  /** `stall`: milliseconds without a byte after which a connection counts as dead. */
  constructor(endpoint: Endpoint, signal: AbortSignal, stall: number, interrupted: () => StackError) {
    this.#agents = new Agents(endpoint.registries);
    this.#signal = signal;
    this.#stall = stall;
    this.#interrupted = interrupted;
  }

  /**
   * One request, redirects followed. The Authorization header stays with the origin it was meant for, and nothing is asked for
   * over plain HTTP that was asked for over TLS. @throws StackError, Transient
   */
  async exchange(request: Request, to: string, { headers = {}, ...init }: Init): Promise<Answer> {
    let url = new URL(to);
    for (let hops = 0; ; hops++) {
      const answer = await this.#once(request, url, { ...init, headers });
      const location = answer.header('location');
      const isKept = answer.status === 307 || answer.status === 308;
      const isRedirect = isKept || (answer.status >= 301 && answer.status <= 303);
      if (!isRedirect || location === undefined) return answer;
      answer.cancel();
      const next = URL.parse(location, url);
      const method = init.method ?? 'GET';
      const why =
        next === null || !/^https?:$/.test(next.protocol)
          ? 'which is no address'
          : url.protocol === 'https:' && next.protocol === 'http:'
            ? 'which is not encrypted'
            : !isKept && method !== 'GET' && method !== 'HEAD'
              ? `which loses what ${method} sends`
              : init.isSecret && next.origin !== url.origin
                ? 'which is another host, with a secret'
                : hops >= redirectLimit
                  ? `after ${redirectLimit} other places`
                  : undefined;
      if (why) throw sentAway(request, location, why);
      if (next!.origin !== url.origin) {
        const { authorization: _kept, ...rest } = headers;
        headers = rest;
      }
      url = next!;
    }
  }

  async #once(request: Request, url: URL, init: Init): Promise<Answer> {
    if (this.#signal.aborted) throw this.#interrupted();
    const { request: ask, options } = this.#agents.way(url);
    const { method = 'GET', headers, content, patience = this.#stall } = init;
    const length =
      content || method === 'POST' || method === 'PUT' ? { 'content-length': `${content?.size ?? 0}` } : {};
    const outgoing = ask({
      ...options,
      method,
      headers: {
        // Compressed transfers would change the bytes that digests speak of.
        'accept-encoding': 'identity',
        'user-agent': 'stack',
        ...(options.headers as Record<string, string> | undefined),
        ...headers,
        ...length,
      },
    });
    // An error after the answer came would otherwise be nobody's.
    outgoing.on('error', () => undefined);
    outgoing.once('socket', (socket) => limitConnecting(outgoing, socket, Math.min(patience, connectLimit)));
    const watch = new Watch(outgoing, this.#signal, patience, this.#interrupted);
    try {
      const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
      const sent = content ? send(outgoing, content, answered, watch) : void outgoing.end();
      const [incoming] = await answered;
      await sent;
      watch.rest();
      return answerOf(request, url, method, incoming, watch);
    } catch (thrown) {
      outgoing.destroy();
      watch.release();
      if (outgoing.reusedSocket && isReset(thrown) && !content && !watch.reason) return this.#once(request, url, init);
      throw fault(request, url, watch.reason ?? thrown);
    }
  }

  [Symbol.dispose](): void {
    this.#agents[Symbol.dispose]();
  }
}

/** Ends a request after too long a silence, or with the signal. */
class Watch {
  reason: Error | undefined;
  readonly #outgoing: ClientRequest;
  readonly #end: (reason: Error) => void;
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;
  readonly #patience: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(outgoing: ClientRequest, signal: AbortSignal, patience: number, interrupted: () => StackError) {
    this.#outgoing = outgoing;
    this.#end = (reason) => {
      this.reason = reason;
      outgoing.destroy(reason);
    };
    this.#signal = signal;
    this.#patience = patience;
    this.#onAbort = () => this.#end(interrupted());
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.expect();
  }

  /** Starts the clock of silence anew. */
  expect(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#end(Object.assign(new Error('no byte came for too long'), { code: 'STALLED' })),
      this.#patience,
    );
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  release(): void {
    this.rest();
    this.#signal.removeEventListener('abort', this.#onAbort);
    // Answered before all was sent: nothing else can go over that connection.
    if (!this.#outgoing.writableEnded) this.#outgoing.destroy();
  }
}

function limitConnecting(outgoing: ClientRequest, socket: Socket, limit: number): void {
  if (!socket.connecting) return;
  const silent = () => outgoing.destroy(Object.assign(new Error('no connection came about'), { code: 'ETIMEDOUT' }));
  const timer = setTimeout(silent, limit);
  for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
}

/** Sends until all is sent or the answer is there, which may be a refusal before the end. */
async function send(
  outgoing: ClientRequest,
  content: Content,
  answered: Promise<unknown>,
  watch: Watch,
): Promise<void> {
  let isAnswered = false;
  const answer = answered.then(
    () => {
      isAnswered = true;
    },
    () => {
      isAnswered = true;
    },
  );
  for await (const chunk of content.open()) {
    if (isAnswered) return;
    watch.expect();
    if (!outgoing.write(chunk)) await Promise.race([once(outgoing, 'drain').catch(() => undefined), answer]);
  }
  if (isAnswered) return;
  watch.expect();
  outgoing.end();
}

function answerOf(request: Request, url: URL, method: string, incoming: IncomingMessage, watch: Watch): Answer {
  const isShort =
    incoming.statusCode === 204 || method === 'HEAD' || Number(incoming.headers['content-length']) < 65_536;
  const cancel = () => {
    watch.release();
    // A short rest is read, so that the connection serves again.
    if (isShort && !incoming.readableDidRead) incoming.resume();
    else incoming.destroy();
  };
  // Nor between two reads of it.
  incoming.on('error', () => undefined);
  return {
    status: incoming.statusCode ?? 0,
    header: (name) => {
      const value = incoming.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    url,
    cancel,
    async *body() {
      let isDone = false;
      try {
        watch.expect();
        for await (const chunk of incoming) {
          // The clock stands still while the reader of this is busy.
          watch.rest();
          yield chunk as Uint8Array;
          watch.expect();
        }
        isDone = true;
        watch.release();
      } catch (thrown) {
        throw fault(request, url, watch.reason ?? thrown);
      } finally {
        if (!isDone) cancel();
      }
    },
  };
}

function fault(request: Request, url: URL, thrown: unknown) {
  return thrown instanceof StackError ? thrown : unreachable(request, url.host, thrown);
}

function isReset(thrown: unknown): boolean {
  const { code } = thrown as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}
