/** Answers a registry's challenges for one repository, once for all requests that run at the same time. */
import { StackError } from '../../../schemas/errors.ts';
import { isInsecure } from './certificates.ts';
import { type Challenge, chooseChallenge } from './challenge.ts';
import { type Credentials, findLogin, type Login } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { printable, type Request } from './failure.ts';
import { basic, fetchToken } from './token.ts';
import type { Transport } from './transport.ts';

export class Authorization {
  readonly #transport: Transport;
  readonly #endpoint: Endpoint;
  /** What is wanted: `repository:team/api:pull,push`. Grows by what challenges ask for. */
  readonly #scopes: Set<string>;
  #login: Promise<Login> | undefined;
  #header: string | undefined;
  #until = Number.POSITIVE_INFINITY;
  #challenge: Challenge | undefined;
  #renewal: Promise<boolean> | undefined;
  #words: Pick<Request, 'login' | 'problem'> = {};
  /** Of the last token, where one was asked for. */
  refreshToken: string | undefined;
  readonly #isOffline: boolean;

  /** `login`: shown instead of what is filed, to try it out; a refresh token is asked for then. */
  constructor(transport: Transport, endpoint: Endpoint, scopes: string[], login?: Login) {
    this.#transport = transport;
    this.#endpoint = endpoint;
    this.#scopes = new Set(scopes);
    this.#isOffline = login !== undefined;
    if (login) this.#login = Promise.resolve(login);
  }

  /** What was shown, for errors. */
  get words(): Pick<Request, 'login' | 'problem'> {
    return this.#words;
  }

  /** Value of the header to send now: a token that has run out is renewed first. @throws StackError, Transient */
  async header(request: Request): Promise<string | undefined> {
    if (performance.now() >= this.#until && this.#challenge) await this.#renew(request, this.#challenge);
    return this.#header;
  }

  /**
   * After a 401: whether there is something else to show now. `shown`: the header that was refused.
   * @throws StackError, Transient
   */
  async answer(request: Request, challenges: string, shown: string | undefined): Promise<boolean> {
    // Another request was faster.
    if (this.#header !== shown && this.#header !== undefined) return true;
    const challenge = chooseChallenge(challenges);
    if (!challenge) return false;
    if (challenge.scheme === 'bearer') {
      for (const scope of challenge.parameters.scope?.split(' ').filter(Boolean) ?? []) this.#want(scope);
    }
    this.#challenge = challenge;
    return (await this.#renew(request, challenge)) && this.#header !== shown;
  }

  /** Adds a scope; one that covers no more than another of the same repository is left out. */
  #want(scope: string): void {
    const split = (text: string) => {
      const colon = text.lastIndexOf(':');
      return [text.slice(0, colon), text.slice(colon + 1).split(',')] as const;
    };
    const [name, actions] = split(scope);
    for (const known of this.#scopes) {
      const [knownName, knownActions] = split(known);
      if (knownName === name && actions.every((action) => knownActions.includes(action))) return;
    }
    this.#scopes.add(scope);
  }

  #renew(request: Request, challenge: Challenge): Promise<boolean> {
    this.#renewal ??= this.#fetch(request, challenge).finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #fetch(request: Request, { scheme, parameters }: Challenge): Promise<boolean> {
    this.#login ??= findLogin(this.#endpoint.credentialKeys);
    const { credentials, place, problem } = await this.#login;
    this.#words = {
      login:
        credentials &&
        `the login${credentials.user === '<token>' ? '' : ` of ${printable(credentials.user, 60)}`}${place ? ` from ${place}` : ''}`,
      problem,
    };
    const shown = credentials?.registryToken ? `Bearer ${credentials.registryToken}` : undefined;
    if (scheme === 'basic' || shown) return this.#set(shown ?? (isWhole(credentials) ? basic(credentials) : undefined));
    const realm = this.#checked(parameters.realm ?? '');
    const token = await fetchToken(
      this.#transport,
      { ...request, ...this.#words },
      {
        realm,
        service: parameters.service,
        scopes: [...this.#scopes],
        credentials,
        isOffline: this.#isOffline,
      },
    );
    this.refreshToken = token.refreshToken;
    return this.#set(`Bearer ${token.value}`, token.until);
  }

  #set(header: string | undefined, until = Number.POSITIVE_INFINITY): boolean {
    this.#header = header;
    this.#until = until;
    return header !== undefined;
  }

  /** No login goes unencrypted to a place that the settings do not allow that for. */
  #checked(realm: string): URL {
    const url = URL.parse(realm);
    const { host, registries } = this.#endpoint;
    const fail = (why: string) => {
      const message = `Registry ${host} sends for a token to "${printable(realm, 120)}", ${why}.`;
      throw new StackError('image.registry-protocol', {
        message,
        hint: 'The fault is in the settings of the registry.',
      });
    };
    if (url?.protocol === 'https:') return url;
    if (url?.protocol !== 'http:') return fail('which is no address');
    const isPlain = this.#endpoint.schemes.join() === 'http';
    return isPlain || isInsecure(registries, url.host) ? url : fail('which is not encrypted');
  }
}

function isWhole(credentials: Credentials | undefined): credentials is Credentials {
  return credentials !== undefined && credentials.password !== '';
}
