import { expect, test } from 'vitest';
import { type ProfileSetting, readProfile } from './profile.ts';
import { compileSeccomp } from './seccomp.ts';

const setting = { capabilities: ['CAP_CHOWN'], machine: 'x64', kernel: '6.1.0-18-amd64' };
const read = (document: unknown, more: Partial<ProfileSetting> = {}) =>
  readProfile(typeof document === 'string' ? document : JSON.stringify(document), { ...setting, ...more }, '/p.json');
const names = (rule: object, more: Partial<ProfileSetting> = {}) => {
  const entry = { names: ['mount'], action: 'SCMP_ACT_ALLOW', ...rule };
  return read({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [entry] }, more).syscalls!.flatMap((one) => one.names);
};

test('architectures come from the map of the machine, else from the list', () => {
  const archMap = [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ];
  const base = { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 38, archMap };
  expect(read(base)).toEqual({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: [],
  });
  expect(read(base, { machine: 'arm64' }).architectures).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
  const listed = { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'], syscalls: null };
  expect(read(listed).architectures).toEqual(['SCMP_ARCH_X86_64']);
});

test.each([
  [{ includes: { caps: ['CAP_CHOWN'] } }, true],
  [{ includes: { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] } }, false],
  [{ excludes: { caps: ['CAP_SYS_ADMIN'] } }, true],
  [{ excludes: { caps: ['CAP_CHOWN'] } }, false],
  [{ includes: { arches: ['amd64', 'x32'] } }, true],
  [{ includes: { arches: ['arm64'] } }, false],
  [{ excludes: { arches: ['s390', 's390x'] } }, true],
  [{ includes: { minKernel: '4.8' } }, true],
  [{ includes: { minKernel: '6.2' } }, false],
  [{ excludes: { minKernel: '4.8' } }, false],
  [{ includes: {}, excludes: {}, args: null, comment: 'x' }, true],
] as [object, boolean][])('a rule with %j holds: %s', (rule, holds) => {
  expect(names(rule)).toEqual(holds ? ['mount'] : []);
});

test('the older form of a name, conditions on 64-bit arguments, and what compiles', () => {
  const text = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
    {"name":"chmod","action":"SCMP_ACT_ERRNO","errnoRet":5},
    {"names":[],"action":"SCMP_ACT_KILL"},
    {"names":["personality"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}`;
  const made = read(text);
  expect(made.syscalls!.map((one) => one.names)).toEqual([['chmod'], ['personality']]);
  expect(made.syscalls![1]!.args![0]!.value).toBe(0xffff_ffff_ffff_ffffn);
  expect(compileSeccomp(made).filter.length).toBeGreaterThan(0);
});

test.each([
  ['{', /p\.json is not valid JSON/],
  ['[]', /cannot be used/],
  [{ defaultAction: 'ALLOW' }, /defaultAction/],
  [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['x'], action: 'no' }] }, /syscalls\.0\.action/],
  [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['x'], action: 'SCMP_ACT_NOTIFY' }] }, /listenerPath/],
  [
    { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['x'], action: 'SCMP_ACT_ERRNO', errnoRet: 9999 }] },
    /errnoRet must not exceed 4095/,
  ],
  [
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['x'], action: 'SCMP_ACT_ERRNO', args: [{ index: 9, value: 1, op: 'SCMP_CMP_EQ' }] }],
    },
    /args\.0\.index/,
  ],
] as [unknown, RegExp][])('refused: %j', (document, message) => {
  expect(() => read(document)).toThrow(message);
});
