import { expect, test } from 'vitest';
import type { Service } from '../../schemas/project.ts';
import { definitionDifferences, describe, serviceDifferences } from './compare.ts';

const base: Service = { image: 'a', command: null, entrypoint: null };

const between = (was: Partial<Service>, is: Partial<Service>) =>
  describe(serviceDifferences('web', { ...base, ...was }, { ...base, ...is }), 9);

test.each<[string, Partial<Service>, Partial<Service>, string]>([
  ['a scalar', { user: 'a' }, { user: 'b' }, 'services.web.user: "a" → "b"'],
  ['something new', {}, { mem_limit: '64m' }, 'services.web.mem_limit: (none) → "64m"'],
  ['something gone', { init: true }, {}, 'services.web.init: true → (none)'],
  ['a variable', { environment: { A: '1' } }, { environment: { A: '2' } }, 'services.web.environment.A: "1" → "2"'],
  [
    'a label with dots',
    { labels: { 'com.example': 'x' } },
    { labels: {} },
    'services.web.labels["com.example"]: "x" → (none)',
  ],
  ['a command', { command: ['a'] }, { command: ['a', 'b'] }, 'services.web.command: ["a"] → ["a","b"]'],
  ['a cleared command', { command: null }, { command: [] }, 'services.web.command: (none) → []'],
  [
    'a port',
    { ports: [{ target: 80, published: '8080', protocol: 'tcp' }] },
    { ports: [{ target: 80, published: '8081', protocol: 'tcp', host_ip: '127.0.0.1' }] },
    'services.web.ports: "8080:80" → "127.0.0.1:8081:80"',
  ],
  [
    'a mount',
    { volumes: [{ type: 'bind', source: '/a', target: '/t' }] },
    { volumes: [{ type: 'bind', source: '/a', target: '/t', read_only: true }] },
    'services.web.volumes: "/a:/t" → "/a:/t:ro"',
  ],
  [
    'a network joined',
    { networks: { default: null } },
    { networks: { default: null, back: null } },
    'services.web.networks.back: (none) → joined',
  ],
  [
    'an alias',
    { networks: { default: null } },
    { networks: { default: { aliases: ['db'] } } },
    'services.web.networks.default.aliases: (none) → ["db"]',
  ],
  [
    'a limit',
    { deploy: { resources: { limits: { cpus: 1 } } } },
    { deploy: { resources: { limits: { cpus: 2 } } } },
    'services.web.deploy.resources.limits.cpus: 1 → 2',
  ],
])('%s', (_, was, is, text) => {
  expect(between(was, is)).toBe(text);
});

test.each<[string, Partial<Service>, Partial<Service>]>([
  ['null and absent', { environment: {} }, {}],
  ['an empty list and absent', { cap_add: [] }, {}],
  ['the order of keys', { environment: { A: '1', B: '2' } }, { environment: { B: '2', A: '1' } }],
  ['the order of a set', { cap_add: ['A', 'B'] }, { cap_add: ['B', 'A'] }],
  ['a network without settings', { networks: { default: null } }, { networks: { default: {} } }],
  ['replicas', { deploy: { replicas: 1 } }, { deploy: { replicas: 3 } }],
  ['how it is pulled', { pull_policy: 'always' }, {}],
  ['extensions', { 'x-a': 1 }, { 'x-a': 2 }],
  ['env_file, whose content is in environment', { env_file: ['a'] }, {}],
])('no difference: %s', (_, was, is) => {
  expect(between(was, is)).toBe('');
});

test('values of variables that look secret are not shown, other values however long are cut', () => {
  expect(between({ environment: { DB_PASSWORD: 'a' } }, { environment: { DB_PASSWORD: 'b' } })).not.toMatch(/"[ab]"/);
  expect(between({ environment: { API_KEY: 'a' } }, {})).not.toContain('"a"');
  expect(between({}, { hostname: 'x'.repeat(500) }).length).toBeLessThan(130);
  // Only variables: a service may be called so.
  expect(describe(serviceDifferences('token', base, { ...base, user: 'b' }))).toContain('"b"');
});

test('what a network means without saying it is no difference', () => {
  const was = { name: 'n', ipam: {} };
  expect(definitionDifferences('networks', 'n', was, { ...was, internal: false, enable_ipv4: true })).toEqual([]);
  expect(describe(definitionDifferences('networks', 'n', was, { ...was, enable_ipv6: true }))).toBe(
    'networks.n.enable_ipv6: false → true',
  );
});
