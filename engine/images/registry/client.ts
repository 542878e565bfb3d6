/** Requests to one endpoint: authorized, tried again where that helps, refused in words. */
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from '../../../schemas/errors.ts';
import { interruption } from '../locks.ts';
import { Authorization } from './authorization.ts';
import type { Login } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { faultOf, type Request, refusal, sentAway, Transient } from './failure.ts';
import { oneOf, readText } from './token.ts';
import { type Answer, type Init, Transport } from './transport.ts';

export interface Timing {
  /** Tries of one request. */
  tries: number;
  /** Milliseconds before the second try; doubled for each further one, with jitter. */
  backoff: number;
  /** Longest wait a registry may ask for by Retry-After, in milliseconds; beyond it the request fails. */
  longestWait: number;
  /** Milliseconds without a byte after which a connection counts as dead. */
  stall: number;
  /** The same while a registry puts an upload in its place, which takes longer the larger it is. */
  settle: number;
}

export const defaultTiming: Timing = {
  tries: 3,
  backoff: 400,
  longestWait: 60_000,
  stall: 30_000,
  settle: 300_000,
};

export interface ClientOptions {
  /** What is worked on, as errors show it: `redis:7`. */
  image: string;
  /** In words, for an interruption: `Pulling`. */
  doing: string;
  signal: AbortSignal;
  timing: Timing;
  /** Asked for from the start: `repository:team/api:pull`. */
  scopes: string[];
  /** Shown instead of what is filed. */
  login?: Login;
}

/** Longest error document that is read. Bytes. */
const errorLimit = 64 * 1024;

export class Client implements Disposable {
  readonly endpoint: Endpoint;
  readonly timing: Timing;
  readonly authorization: Authorization;
  readonly #options: ClientOptions;
  readonly #transport: Transport;

  constructor(endpoint: Endpoint, options: ClientOptions) {
    this.endpoint = { ...endpoint };
    this.timing = options.timing;
    this.#options = options;
    this.#transport = new Transport(this.endpoint, options.signal, options.timing.stall, () => this.interrupted());
    this.authorization = new Authorization(this.#transport, this.endpoint, options.scopes, options.login);
  }

  /** `what` is asked for, as errors name it. */
  request(what: string, method?: string): Request {
    return { endpoint: this.endpoint, image: this.#options.image, what, ...(method ? { method } : {}) };
  }

  interrupted(): StackError {
    return interruption(`${this.#options.doing} ${this.#options.image}`);
  }

  /** Tries again, with pauses, what failed in passing. @throws StackError */
  async retry<T>(attempt: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; ) {
      try {
        return await attempt();
      } catch (thrown) {
        if (!(thrown instanceof Transient)) throw thrown;
        await this.pause(thrown, ++failures);
      }
    }
  }

  /** Waits before the next try; throws where there is none. */
  async pause(fault: Transient, failures: number): Promise<void> {
    const { tries, backoff, longestWait } = this.timing;
    const jitter = 0.75 + Math.random() / 2;
    // What a registry asks for is the least: many clients that it sent away come back spread out.
    const delay =
      fault.afterMs === undefined ? backoff * 2 ** (failures - 1) * jitter : fault.afterMs + backoff * Math.random();
    if (failures >= tries || (fault.afterMs ?? 0) > longestWait) throw fault.error;
    try {
      await sleep(delay, undefined, { signal: this.#options.signal });
    } catch {
      throw this.interrupted();
    }
  }

  /**
   * One request with its authorization. `target`: path below the endpoint (`/v2/…`), or an address that the registry named.
   * `also`: statuses besides 200 and 206 that are answers rather than failures.
   * @throws Transient or StackError for any other status
   */
  async exchange(request: Request, target: string, init: Init = {}, also: number[] = []): Promise<Answer> {
    const isWelcome = ({ status }: Answer) => status === 200 || status === 206 || also.includes(status);
    const asked = { ...request, method: init.method ?? 'GET' };
    const shown = await this.authorization.header(asked);
    let answer = await this.#send(asked, target, init, shown);
    if (isWelcome(answer)) return answer;
    let detail = await this.#detail(asked, answer);
    // Where the registry sends to is not told its login: who answers there could name a token service of its own.
    if (answer.status === 401 && this.#isOwn(answer.url)) {
      const challenges = answer.header('www-authenticate') ?? '';
      if (await this.authorization.answer(asked, challenges, shown)) {
        answer = await this.#send(asked, target, init, await this.authorization.header(asked));
        if (isWelcome(answer)) return answer;
        detail = await this.#detail(asked, answer);
      }
    }
    const words = this.authorization.words;
    throw refusal({ ...asked, ...words }, answer.status, answer.header('retry-after'), detail);
  }

  #isOwn({ origin }: URL): boolean {
    const { schemes, host } = this.endpoint;
    return origin === new URL(`${schemes[0]}://${host}`).origin;
  }

  /** Sends to the first scheme that speaks, and stays with it. */
  async #send(request: Request, target: string, init: Init, authorization: string | undefined): Promise<Answer> {
    const { schemes, host } = this.endpoint;
    const headers = { ...init.headers, ...(authorization ? { authorization } : {}) };
    if (!target.startsWith('/')) {
      const url = new URL(target);
      if (!/^https?:$/.test(url.protocol)) throw sentAway(request, target, 'which is no address');
      if (schemes[0] === 'https' && url.protocol === 'http:') {
        throw sentAway(request, target, 'which is not encrypted');
      }
      return this.#transport.exchange(request, target, {
        ...init,
        headers: this.#isOwn(url) ? headers : { ...init.headers },
      });
    }
    for (const [index, scheme] of schemes.entries()) {
      try {
        const answer = await this.#transport.exchange(request, `${scheme}://${host}${target}`, { ...init, headers });
        this.endpoint.schemes = [scheme];
        return answer;
      } catch (thrown) {
        if (index === schemes.length - 1 || !isNetworkFault(thrown)) throw thrown;
      }
    }
    throw new Error('an endpoint has at least one scheme');
  }

  /** The registry's own words. Source: distribution-spec "Error Codes". */
  async #detail(request: Request, answer: Answer): Promise<string> {
    try {
      return oneOf(await readText(request, answer, errorLimit));
    } catch {
      return '';
    }
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}

function isNetworkFault(thrown: unknown): boolean {
  const error = thrown instanceof Transient ? thrown.error : thrown;
  return (
    error instanceof StackError &&
    error.code === 'image.registry-unreachable' &&
    faultOf(error.cause).code !== 'STALLED'
  );
}
