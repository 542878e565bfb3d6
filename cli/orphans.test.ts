import { expect, test } from 'vitest';
import { removesOrphans } from './orphans.ts';

test.each([
  [{}, undefined, undefined],
  [{ removeOrphans: true }, undefined, true],
  [{ removeOrphans: true }, 'false', true],
  [{}, 'true', true],
  [{}, '1', true],
  [{}, '0', undefined],
  [{}, '', undefined],
])('%j with COMPOSE_REMOVE_ORPHANS=%s', (flags, variable, expected) => {
  expect(removesOrphans(flags, { environment: { COMPOSE_REMOVE_ORPHANS: variable } })).toBe(expected);
});
