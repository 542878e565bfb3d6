import { expect, test } from 'vitest';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import { readSpec, writeSpec } from './spec-json.ts';

test('64-bit integers survive the way to the file and back', () => {
  const spec: RuntimeSpec = {
    ociVersion: '1.2.0',
    process: {
      cwd: '/',
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 0xffff_ffff_ffff_ffffn }],
    },
    linux: {
      resources: { memory: { limit: -1, swap: -9223372036854775808n } },
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          {
            names: ['prctl'],
            action: 'SCMP_ACT_ERRNO',
            args: [{ index: 1, value: 9007199254740993n, op: 'SCMP_CMP_EQ' }],
          },
        ],
      },
    },
  };
  const text = writeSpec(spec);
  expect(text).toContain('"hard":18446744073709551615');
  expect(text).toContain('"value":9007199254740993');
  expect(readSpec(text, 'config.json')).toEqual(spec);
  expect(readSpec(writeSpec(spec, 2), 'config.json')).toEqual(spec);
});

test('what is not JSON names the file', () => {
  expect(() => readSpec('{', '/b/config.json')).toThrow(/\/b\/config\.json is not valid JSON/);
});
