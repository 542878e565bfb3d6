/** Connections to one registry and to where it sends: kept open, through proxies, with the certificates of each host. */
import * as http from 'node:http';
import * as https from 'node:https';
import { connect as connectTls } from 'node:tls';
import type { Settings } from '../../../schemas/settings.ts';
import { tlsOptions } from './certificates.ts';
import { proxyFor } from './proxy.ts';

/** What node:http is asked with for one address. */
export interface Way {
  request: typeof http.request;
  options: http.RequestOptions;
}

/** Thrown where a proxy answers CONNECT with anything but 200. */
export class ProxyRefusal extends Error {
  readonly code = 'PROXY';
  readonly status: number;
  constructor(proxy: string, status: number) {
    super(`the proxy ${proxy} answered ${status}`);
    this.status = status;
  }
}

export class Agents implements Disposable {
  readonly #registries: Settings['registries'];
  readonly #agents = new Map<string, http.Agent>();

  constructor(registries: Settings['registries']) {
    this.#registries = registries;
  }

  /** How to send a request for `url`. @throws StackError where a proxy or a certificate of the settings is none */
  way(url: URL): Way {
    const proxy = proxyFor(url);
    if (url.protocol === 'https:') {
      const agent = this.#agent(`${url.host} ${proxy?.host}`, () => {
        const tls = tlsOptions(this.#registries, url.host);
        return proxy
          ? new TunnelAgent(proxy, { keepAlive: true, ...tls })
          : new https.Agent({ keepAlive: true, ...tls });
      });
      return {
        request: https.request,
        options: { agent, host: bare(url.hostname), port: url.port || 443, path: pathOf(url) },
      };
    }
    const agent = this.#agent(`http ${proxy?.host}`, () =>
      proxy?.protocol === 'https:' ? new https.Agent({ keepAlive: true }) : new http.Agent({ keepAlive: true }),
    );
    if (!proxy)
      return {
        request: http.request,
        options: { agent, host: bare(url.hostname), port: url.port || 80, path: pathOf(url) },
      };
    // Plain HTTP goes through a proxy in absolute form. Source: RFC 9112 section 3.2.2.
    const absolute = new URL(url);
    absolute.hash = '';
    const headers = { host: url.host, ...proxyAuthorization(proxy) };
    const options = { agent, host: bare(proxy.hostname), port: portOf(proxy), path: absolute.href, headers };
    return { request: proxy.protocol === 'https:' ? https.request : http.request, options };
  }

  #agent(key: string, make: () => http.Agent): http.Agent {
    const agent = this.#agents.get(key) ?? make();
    this.#agents.set(key, agent);
    return agent;
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}

/** Longest wait for a proxy to connect. Milliseconds. */
const answerTimeout = 30_000;

/** TLS inside of a CONNECT. Source: RFC 9110 section 9.3.6. */
class TunnelAgent extends https.Agent {
  readonly #proxy: URL;

  constructor(proxy: URL, options: https.AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  override createConnection(
    options: https.RequestOptions,
    done?: (error: Error | null, socket: never) => void,
  ): undefined {
    const proxy = this.#proxy;
    const target = `${options.host?.includes(':') ? `[${options.host}]` : options.host}:${options.port}`;
    const fail = (error: Error) => done?.(error, undefined as never);
    const request = proxy.protocol === 'https:' ? https.request : http.request;
    const asked = request({
      method: 'CONNECT',
      host: bare(proxy.hostname),
      port: portOf(proxy),
      path: target,
      headers: { host: target, ...proxyAuthorization(proxy) },
      agent: false,
    });
    asked.once('error', fail);
    asked.setTimeout(answerTimeout, () =>
      asked.destroy(Object.assign(new Error('the proxy is silent'), { code: 'ETIMEDOUT' })),
    );
    asked.once('connect', (answer, socket) => {
      if (answer.statusCode !== 200) {
        socket.destroy();
        fail(new ProxyRefusal(proxy.host, answer.statusCode ?? 0));
        return;
      }
      asked.setTimeout(0);
      done?.(null, connectTls({ ...(options as object), path: undefined, socket } as never) as never);
    });
    asked.once('response', (answer) => {
      asked.destroy();
      fail(new ProxyRefusal(proxy.host, answer.statusCode ?? 0));
    });
    asked.end();
    return undefined;
  }
}

function proxyAuthorization({ username, password }: URL): Record<string, string> {
  if (!username) return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

function pathOf(url: URL): string {
  return `${url.pathname}${url.search}`;
}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80));
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
