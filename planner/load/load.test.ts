import { expect, test } from 'vitest';
import { bigStack } from './big-stack.fixture.ts';
import { loaded, loadFiles, loadText, messages } from './fixture.ts';

/** Milliseconds of processor time, the best of three. */
function cost(text: string): number {
  const runs = [1, 2, 3].map(() => {
    const before = process.cpuUsage();
    loadText(text);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...runs);
}

test('500 services with 3,000 edges load in well under half a second, and the cost is linear', () => {
  const { project } = loadText(bigStack(500).text);
  const edges = Object.values(project.services).flatMap((service) => Object.keys(service.depends_on ?? {}));
  expect(edges.length).toBeGreaterThan(2900);
  const [small, middle] = [cost(bigStack(250).text), cost(bigStack(1000).text)];
  expect(cost(bigStack(500).text)).toBeLessThan(400);
  expect(middle / small).toBeLessThan(10);
});

test('a cycle through many services is found, and named once', () => {
  const count = 2000;
  const lines = Array.from(
    { length: count },
    (_, index) => `  s${index}: {image: x, depends_on: [s${(index + 1) % count}]}`,
  );
  const found = messages(loadFiles({ 'compose.yaml': `services:\n${lines.join('\n')}\n` }));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/^compose.yaml:2:\d+ config.cycle .*s0 → s1 → /);
});

test('a cycle is told with its path', () => {
  const text =
    'services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, links: [a]}\n';
  expect(messages(loadFiles({ 'compose.yaml': text }))).toEqual([
    'compose.yaml:2:30 config.cycle services.a.depends_on.b: services depend on each other: a → b → c → a',
  ]);
  const result = loadFiles({ 'compose.yaml': text });
  expect(result.ok || result.errors[0]?.hint).toBe(
    'Remove one of these dependencies: a → b at compose.yaml:2:30, b → c at compose.yaml:3:30, c → a at compose.yaml:4:17.',
  );
});

test('what is nested or chained without end is refused, and soon', () => {
  const nested = `${'${A:-'.repeat(20_000)}${'}'.repeat(20_000)}`;
  const chain = Array.from({ length: 3000 }, (_, index) => `  s${index}: {extends: s${index + 1}}\n`).join('');
  for (const [text, message] of [
    [`services: {a: {image: "${nested}"}}\n`, 'more than 100 deep'],
    [`services:\n${chain}  s3000: {image: x}\n`, 'more than 500 services extend one another'],
  ] as const) {
    const start = performance.now();
    expect(messages(loadFiles({ 'compose.yaml': text })).join('\n')).toContain(message);
    expect(performance.now() - start).toBeLessThan(10_000);
  }
});

test('a service that extends one that extends one is resolved once each', () => {
  const chain = Array.from({ length: 400 }, (_, index) => `  s${400 - index}: {extends: s${399 - index}}\n`).join('');
  const { services } = loadText(`services:\n${chain}  s0: {image: x, labels: [l=1]}\n`).project;
  expect(services.s400).toEqual(services.s0);
});

test('loading does not depend on the order of keys', () => {
  const one = 'services:\n  a: {image: x, tty: true}\n  b: {image: y}\n';
  const two = 'services:\n  b: {image: y}\n  a: {tty: true, image: x}\n';
  expect(loadText(one).project).toEqual(loadText(two).project);
});

test('unset variables are warned of once, with their place', () => {
  const result = loadFiles({ 'compose.yaml': 'services:\n  a:\n    image: "x:${TAG}"\n    user: $TAG\n' });
  expect(result.warnings).toHaveLength(1);
  expect(result.warnings[0]).toMatchObject({
    message: 'The "TAG" variable is not set. Defaulting to a blank string.',
    where: { file: 'compose.yaml', line: 3, column: 15, length: 6 },
  });
});

test('what every object answers to is no variable', () => {
  const { project } = loadText('services:\n  a: {image: "x${constructor-}${toString:-1}", environment: [valueOf]}\n');
  expect(project.services.a).toMatchObject({ image: 'x1', environment: { valueOf: null } });
});

test('a stack file from standard input', () => {
  const result = loadFiles(
    { '-': '' },
    {
      files: ['-'],
      io: { read: (path) => (path === '-' ? 'services: {a: {image: x}}\n' : undefined), kind: () => undefined },
    },
  );
  expect(loaded(result).project.name).toBe('p');
});

test('a project loaded from its own canonical form is the same', async () => {
  const { canonical } = await import('./canonical.ts');
  const text = `services:
  a:
    image: x
    command: echo "$$HOME" 'a b'
    environment: {A: "$$x", B: null, C: "1"}
    ports: ["127.0.0.1:80-82:80-82/udp"]
    volumes: ["./d:/d:ro", "v:/v", /anon]
    healthcheck: {test: "true $$A", interval: 90s}
    deploy: {resources: {limits: {memory: 1g}}}
    depends_on: {b: {condition: service_healthy}}
    extra_hosts: ["a:1.1.1.1"]
    ulimits: {nofile: {soft: 1, hard: 2}}
  b: {image: y, network_mode: none, labels: [a=b]}
volumes: {v: {labels: {l: 1}}}
networks: {default: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}
`;
  const first = canonical(loadText(text).project);
  expect(canonical(loadText(JSON.stringify(first)).project)).toEqual(first);
});
