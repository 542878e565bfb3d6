/** Device rules three ways: the rule as it is written down, the list of the v1 kernel, the program of v2. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DeviceRule } from '../../../schemas/oci-runtime.ts';
import { isUsable, parent } from './container.fixture.ts';
import { decide } from './device-filter.fixture.ts';
import { deviceChange, deviceLines, deviceList } from './device-list.ts';
import { hierarchies, v1Directory } from './hierarchies.ts';

type Type = 'b' | 'c';
interface Request {
  type: Type;
  major: number;
  minor: number;
  access: string;
}

const number = fc.option(fc.constantFrom(-1, 0, 1, 2), { nil: undefined });
const access = fc.option(
  fc.subarray(['r', 'w', 'm'], { minLength: 1 }).map((letters) => letters.join('')),
  {
    nil: undefined,
  },
);
const rule: fc.Arbitrary<DeviceRule> = fc
  .record({
    allow: fc.boolean(),
    type: fc.constantFrom('a', 'b', 'c', undefined),
    major: number,
    minor: number,
    access,
  })
  .map((made) => Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined)) as never);
const request: fc.Arbitrary<Request> = fc.record({
  type: fc.constantFrom<Type>('b', 'c'),
  major: fc.constantFrom(0, 1, 2, 3),
  minor: fc.constantFrom(0, 1, 2, 3),
  access: fc.subarray(['r', 'w', 'm'], { minLength: 1 }).map((letters) => letters.join('')),
});

/** The reference: each access by the last rule that speaks of it, none without. */
function byRules(rules: DeviceRule[], { type, major, minor, access }: Request): boolean {
  const is = (asked: number | undefined, value: number) => asked === undefined || asked < 0 || asked === value;
  return [...access].every((letter) => {
    const last = rules.findLast(
      (one) =>
        ((one.type ?? 'a') === 'a' || one.type === type) &&
        is(one.major, major) &&
        is(one.minor, minor) &&
        (one.access ?? 'rwm').includes(letter),
    );
    return last?.allow ?? false;
  });
}

/** security/device_cgroup.c: closed, one exception must grant all that is asked for; open, none may speak of any of it. */
function byList(list: ReturnType<typeof deviceList>, { type, major, minor, access }: Request): boolean {
  const matching = [...list.exceptions].filter(([key]) => {
    const [of, a, b] = key.split(/[ :]/);
    return of === type && (a === '*' || Number(a) === major) && (b === '*' || Number(b) === minor);
  });
  const letters = [...access];
  return list.allowsAll
    ? !matching.some(([, granted]) => letters.some((letter) => granted.includes(letter)))
    : matching.some(([, granted]) => letters.every((letter) => granted.includes(letter)));
}

test('the program of v2 decides as the rules say', () => {
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 8 }),
      fc.array(request, { minLength: 1, maxLength: 20 }),
      (rules, asked) => {
        for (const one of asked) {
          expect(decide(rules, one.type, one.major, one.minor, one.access), JSON.stringify(one)).toBe(
            byRules(rules, one),
          );
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('where v1 can say it at all, its list and the program of v2 agree on every access', () => {
  let compared = 0;
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 6 }),
      fc.array(request, { minLength: 1, maxLength: 20 }),
      (rules, asked) => {
        let list: ReturnType<typeof deviceList>;
        try {
          list = deviceList(rules);
        } catch {
          return; // A hole in a wildcard: refused in v1.
        }
        compared++;
        // One access at a time: v1 wants all of a request in one exception, which opening twice gets around.
        for (const one of asked) {
          const single = { ...one, access: one.access[0]! };
          expect(byList(list, single), JSON.stringify(single)).toBe(
            decide(rules, one.type, one.major, one.minor, single.access),
          );
        }
        // And v1 grants no request as a whole that v2 refuses.
        for (const one of asked) {
          if (byList(list, one)) expect(decide(rules, one.type, one.major, one.minor, one.access)).toBe(true);
        }
      },
    ),
    { numRuns: 2000 },
  );
  expect(compared).toBeGreaterThan(500);
});

const devices = isUsable ? v1Directory(hierarchies(), 'devices', `${parent}-rules`) : null;
if (!devices) console.log('skipped: the kernel’s own list of devices needs root and the v1 controller devices');

/** What the kernel keeps after these lines. An open list shows no exceptions. */
function kernelList(lines: { file: string; value: string }[], directory: string): string[] {
  for (const { file, value } of lines) writeFileSync(`${directory}/${file}`, value);
  return readFileSync(`${directory}/devices.list`, 'utf8').trim().split('\n').filter(Boolean).sort();
}
const expected = ({ allowsAll, exceptions }: ReturnType<typeof deviceList>) =>
  allowsAll ? ['a *:* rwm'] : [...exceptions].map(([key, letters]) => `${key} ${letters}`).sort();

test.skipIf(!devices)('the v1 kernel keeps the list we think it does, made new or changed', () => {
  mkdirSync(devices!, { recursive: true });
  let compared = 0;
  try {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), fc.array(rule, { maxLength: 6 }), (first, second) => {
        let lists: ReturnType<typeof deviceList>[];
        try {
          lists = [deviceList(first), deviceList(second)];
        } catch {
          return;
        }
        compared++;
        expect(kernelList(deviceLines(first), devices!)).toEqual(expected(lists[0]!));
        const present = readFileSync(`${devices}/devices.list`, 'utf8');
        expect(kernelList(deviceChange(present, lists[1]!), devices!)).toEqual(expected(lists[1]!));
      }),
      { numRuns: 300 },
    );
  } finally {
    rmdirSync(devices!);
  }
  expect(compared).toBeGreaterThan(20);
});

test('a list that does not begin with everything begins closed; type a with numbers is both types', () => {
  expect(deviceLines([{ allow: true, type: 'a', major: 1, minor: 3, access: 'r' }])).toEqual([
    { file: 'devices.deny', value: 'a' },
    { file: 'devices.allow', value: 'b 1:3 r' },
    { file: 'devices.allow', value: 'c 1:3 r' },
  ]);
});

test('part of a wildcard cannot be taken back in v1, and that is told', () => {
  const rules: DeviceRule[] = [
    { allow: false },
    { allow: true, type: 'c', major: 1, access: 'rw' },
    { allow: false, type: 'c', major: 1, minor: 1, access: 'w' },
  ];
  expect(() => deviceLines(rules)).toThrow(/cannot deny "c 1:1 w", which overlaps the earlier "c 1:\* rw"/);
  expect(decide(rules, 'c', 1, 1, 'w')).toBe(false);
  expect(() => deviceLines([{ allow: true, type: 'c', access: 'x' }])).toThrow(/not made of r, w and m/);
});

test.skipIf(!devices)('no device that both lists grant is refused meanwhile', () => {
  const closed = { allow: false };
  const nothing: DeviceRule = { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' };
  mkdirSync(devices!, { recursive: true });
  try {
    kernelList(deviceLines([closed, nothing, { allow: true, type: 'c', major: 1, minor: 5 }]), devices!);
    const present = readFileSync(`${devices}/devices.list`, 'utf8');
    const lines = deviceChange(
      present,
      deviceList([closed, nothing, { allow: true, type: 'b', major: 7, access: 'r' }]),
    );
    expect(lines).toEqual([
      { file: 'devices.allow', value: 'b 7:* r' },
      { file: 'devices.deny', value: 'c 1:5 rwm' },
    ]);
    const script = 'echo 0 > "$0/tasks"; head -c 1 /dev/zero 2>&1 >/dev/null | head -c 4; : > /dev/null && echo null';
    expect(spawnSync('sh', ['-c', script, devices!], { encoding: 'utf8' }).stdout).toMatch(/null\n$/);
  } finally {
    rmdirSync(devices!);
  }
});
