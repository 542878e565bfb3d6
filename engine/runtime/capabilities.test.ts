import { expect, test } from 'vitest';
import { boundingSet, capabilityMask, capabilityNames, ownCapabilities } from './capabilities.ts';

test('names and masks are those of the kernel', () => {
  expect(capabilityMask(['CAP_CHOWN'])).toBe(1n);
  expect(capabilityMask(['CAP_CHECKPOINT_RESTORE'])).toBe(1n << 40n);
  expect(capabilityMask([])).toBe(0n);
  expect(capabilityMask(['CAP_UNHEARD_OF', 'CAP_KILL'])).toBe(1n << 5n);
  expect(capabilityMask(capabilityNames)).toBe((1n << 41n) - 1n);
});

test('the bounding set is read from status', () => {
  const status = 'Name:\tx\nCapPrm:\t0000000000000000\nCapBnd:\t0000000000000021\n';
  expect(boundingSet(status)).toEqual(['CAP_CHOWN', 'CAP_KILL']);
  expect(boundingSet('')).toEqual([]);
  expect(capabilityNames).toEqual(expect.arrayContaining(ownCapabilities()));
});
