import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { bundle, changed } from './config.fixture.ts';
import { checkConfig } from './config.ts';
import { features } from './features.ts';

const mountOptions = ['ro', 'rbind', 'bind', 'ro'];

interface Features {
  ociVersionMin: string;
  ociVersionMax: string;
  hooks: string[];
  mountOptions: string[];
  linux: {
    namespaces: string[];
    capabilities: string[];
    seccomp: {
      actions: string[];
      operators: string[];
      archs: string[];
      knownFlags: string[];
      supportedFlags: string[];
    };
    memoryPolicy: { modes: string[]; flags: string[] };
  };
}
const ours = features({ mountOptions, version: '0.0.0' }) as Features;

/** runtime-spec schema/features-schema.json and features-linux.json, as patterns of the values' types. */
test('the document has the form the specification gives it', () => {
  const strings = expect.arrayContaining([expect.any(String)]);
  const isEnabled = { enabled: true };
  expect(ours).toEqual({
    ociVersionMin: expect.stringMatching(/^1\.0\.0$/),
    ociVersionMax: expect.stringMatching(/^1\.3\.\d$/),
    hooks: strings,
    mountOptions: ['bind', 'rbind', 'ro'],
    linux: {
      namespaces: strings,
      capabilities: expect.arrayContaining([expect.stringMatching(/^CAP_[A-Z_]+$/)]),
      cgroup: { v1: true, v2: true, systemd: expect.any(Boolean), systemdUser: expect.any(Boolean), rdma: true },
      seccomp: {
        enabled: true,
        actions: strings,
        operators: strings,
        archs: strings,
        knownFlags: strings,
        supportedFlags: strings,
      },
      apparmor: isEnabled,
      selinux: isEnabled,
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: { modes: strings, flags: strings },
      mountExtensions: { idmap: isEnabled },
      netDevices: isEnabled,
    },
    annotations: { 'dev.stack.version': '0.0.0' },
    potentiallyUnsafeConfigAnnotations: [],
  });
});

test('every word it promises is taken in a config.json', () => {
  const { seccomp, memoryPolicy, namespaces, capabilities } = ours.linux;
  const takes = (...changes: Parameters<typeof changed>) =>
    expect(
      checkConfig(JSON.stringify(changed(['process.rlimits', []], ['linux.seccomp.syscalls', []], ...changes)), bundle)
        .warnings,
    ).toEqual([]);
  takes(['ociVersion', ours.ociVersionMin]);
  takes(['ociVersion', ours.ociVersionMax]);
  takes(['linux.namespaces', namespaces.map((type) => ({ type }))]);
  takes(['hooks', Object.fromEntries(ours.hooks.map((name) => [name, [{ path: '/x' }]]))]);
  takes(['process.capabilities', { bounding: capabilities }]);
  takes(['linux.seccomp.syscalls', seccomp.actions.map((action) => ({ names: ['read'], action }))]);
  takes(
    [
      'linux.seccomp.syscalls',
      [
        {
          names: ['read'],
          action: 'SCMP_ACT_NOTIFY',
          args: seccomp.operators.map((op) => ({ index: 0, value: 0, op })),
        },
      ],
    ],
    ['linux.seccomp.flags', seccomp.knownFlags],
  );
  takes(['linux.seccomp.architectures', seccomp.archs]);
  for (const mode of memoryPolicy.modes)
    takes(['linux.memoryPolicy', { mode, ...(/DEFAULT|LOCAL/.test(mode) ? {} : { nodes: '0' }) }]);
  for (const flag of memoryPolicy.flags) takes(['linux.memoryPolicy.flags', [flag]]);
});

const runc = spawnSync('runc', ['features'], { encoding: 'utf8' });
if (runc.status !== 0) console.log('skipped: the features are compared with those of runc, which is not installed');

test.skipIf(runc.status !== 0)('whatever words runc promises, Stack promises', () => {
  const theirs = JSON.parse(runc.stdout) as Features;
  const missing = (mine: string[], its: string[] = []) => its.filter((name) => !mine.includes(name));
  expect(missing(ours.hooks, theirs.hooks)).toEqual([]);
  expect(missing(ours.linux.namespaces, theirs.linux.namespaces)).toEqual([]);
  expect(missing(ours.linux.capabilities, theirs.linux.capabilities)).toEqual([]);
  for (const name of ['actions', 'operators', 'archs', 'knownFlags'] as const) {
    expect(missing(ours.linux.seccomp[name], theirs.linux.seccomp[name]), name).toEqual([]);
  }
  expect(Object.keys(theirs).filter((name) => !(name in ours))).toEqual([]);
  expect(Object.keys(theirs.linux).filter((name) => !(name in ours.linux))).toEqual([]);
});
