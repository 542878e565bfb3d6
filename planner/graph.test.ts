import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Project, Service } from '../schemas/project.ts';
import { graph, withDependencies } from './graph.ts';

function project(services: Record<string, string[]>): Project {
  const entries = Object.entries(services).map(([name, needs]) => {
    const depends_on = Object.fromEntries(
      needs.map((need) => [need, { condition: 'service_started' as const, required: true }]),
    );
    return [name, { command: null, entrypoint: null, depends_on } satisfies Service] as const;
  });
  return { name: 'demo', services: Object.fromEntries(entries), networks: {}, volumes: {} };
}

test('services come after what they depend on, free choices by name', () => {
  expect(graph(project({ web: ['api', 'cache'], api: ['db'], db: [], cache: [] })).order).toEqual([
    'db',
    'api',
    'cache',
    'web',
  ]);
});

test('a cycle is named as a path that starts at its first name', () => {
  expect(() => graph(project({ entry: ['c'], c: ['a'], a: ['b'], b: ['c'] }))).toThrow(
    'Services depend on each other in a circle: a → b → c → a.',
  );
  expect(() => graph(project({ a: ['a'] }))).toThrow('a → a');
});

test('network_mode service: is a dependency that shares a namespace', () => {
  const shared = project({ app: [], vpn: [] });
  shared.services.app!.network_mode = 'service:vpn';
  expect(graph(shared).dependencies.get('app')).toEqual([
    { to: 'vpn', condition: 'service_started', required: true, restart: true, sharesNamespace: true, shares: [] },
  ]);
});

test('ipc, pid and volumes_from are dependencies too, each told by what is shared', () => {
  const shared = project({ app: ['b'], a: [], b: [], c: [] });
  Object.assign(shared.services.app!, { ipc: 'service:b', pid: 'service:b', volumes_from: ['c:ro', 'container:x'] });
  const found = graph(shared)
    .dependencies.get('app')!
    .map(({ to, shares }) => [to, shares]);
  expect(found).toEqual([
    ['b', ['ipc', 'pid']],
    ['c', ['volumes']],
  ]);
});

test('an optional dependency on a service that is not enabled is no edge', () => {
  const built = graph(project({ web: ['debug'] }));
  expect(built.order).toEqual(['web']);
  expect(built.dependencies.get('web')).toEqual([]);
});

test('a selection brings its dependencies along', () => {
  const built = graph(project({ web: ['api'], api: ['db'], db: [], other: [] }));
  expect([...withDependencies(built, ['web'])].sort()).toEqual(['api', 'db', 'web']);
});

test('order is topological and does not depend on key order', () => {
  const acyclic = fc.integer({ min: 1, max: 30 }).chain((count) =>
    fc.tuple(
      fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 120 }),
      fc.shuffledSubarray(
        Array.from({ length: count }, (_, index) => index),
        { minLength: count },
      ),
    ),
  );
  fc.assert(
    fc.property(acyclic, ([pairs, shuffled]) => {
      const needs = (index: number) => [
        ...new Set(pairs.filter(([from, to]) => from === index && to < from).map(([, to]) => `s${to}`)),
      ];
      const sorted = graph(
        project(Object.fromEntries([...shuffled].sort((a, b) => a - b).map((i) => [`s${i}`, needs(i)]))),
      );
      const mixed = graph(project(Object.fromEntries(shuffled.map((i) => [`s${i}`, needs(i).reverse()]))));
      expect(mixed.order).toEqual(sorted.order);
      for (const [name, list] of sorted.dependencies) {
        for (const edge of list) expect(sorted.order.indexOf(edge.to)).toBeLessThan(sorted.order.indexOf(name));
      }
    }),
  );
});

test('a chain of ten thousand services is ordered', () => {
  const chain = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`s${i}`, i > 0 ? [`s${i - 1}`] : []]));
  expect(graph(project(chain)).order).toHaveLength(10_000);
});
