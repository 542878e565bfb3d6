import { expect, test } from 'vitest';
import { proxyFor } from './proxy.ts';

const both = { HTTPS_PROXY: 'http://s.test:3128', HTTP_PROXY: 'p.test' };
const through = (url: string, environment: NodeJS.ProcessEnv) => proxyFor(new URL(url), environment)?.href;

test.each<[string, NodeJS.ProcessEnv, string | undefined]>([
  ['https://r.test/', both, 'http://s.test:3128/'],
  ['http://r.test/', both, 'http://p.test/'],
  ['https://r.test/', { https_proxy: 'http://small.test' }, 'http://small.test/'],
  ['https://r.test/', {}, undefined],
  ['http://r.test/', { HTTPS_PROXY: 'http://s.test' }, undefined],
  ['http://localhost:5000/', both, undefined],
  ['http://127.3.2.1:5000/', both, undefined],
  ['http://[::1]:5000/', both, undefined],
])('%s with %j goes by %s', (url, environment, expected) => {
  expect(through(url, environment)).toBe(expected);
});

test.each([
  ['*', 'https://r.test/', true],
  ['r.test', 'https://r.test/', true],
  ['r.test', 'https://a.r.test/', true],
  ['r.test', 'https://other.test/', false],
  ['r.test', 'https://bar.test/', false],
  ['.r.test', 'https://r.test/', false],
  ['.r.test', 'https://a.r.test/', true],
  ['*.r.test', 'https://a.r.test/', true],
  ['x.test, R.TEST', 'https://r.test/', true],
  ['r.test:443', 'https://r.test/', true],
  ['r.test:5000', 'https://r.test/', false],
  ['10.0.0.0/8', 'https://10.1.2.3/', true],
  ['10.0.0.0/8', 'https://11.1.2.3/', false],
  ['10.0.0.0/8', 'https://r.test/', false],
  ['10.1.2.3', 'https://10.1.2.3:5000/', true],
  ['2001:db8::/32', 'https://[2001:db8::1]/', true],
  ['2001:db8::1', 'https://[2001:db8::1]/', true],
  ['nonsense/x', 'https://r.test/', false],
])('NO_PROXY=%s for %s: direct is %s', (list, url, isDirect) => {
  expect(through(url, { ...both, no_proxy: list }) === undefined).toBe(isDirect);
});

test('a proxy of another kind is refused, without telling its login', () => {
  const refused = () => through('https://r.test/', { HTTPS_PROXY: 'socks5://ann:secret@p.test' });
  expect(refused).toThrow(expect.objectContaining({ code: 'image.registry-unreachable' }));
  expect(refused).not.toThrow(/secret/);
});
