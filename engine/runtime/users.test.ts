import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';

import type { StoredImage } from '../../schemas/oci-image.ts';
import { imageAccounts, parseAccounts, readAccounts, resolveUser } from './users.ts';

const alpine = parseAccounts(
  [
    'root:x:0:0:root:/root:/bin/ash',
    'bin:x:1:1:bin:/bin:/sbin/nologin',
    'postgres:x:70:71::/var/lib/postgresql:/bin/sh',
    '1001:x:2002:2002::/home/odd:/bin/sh',
    '# a comment',
    'broken:x:notanumber:0::/:/bin/sh',
  ].join('\n'),
  [
    'root:x:0:root',
    'bin:x:1:root,bin',
    'wheel:x:10:root',
    'postgres:x:71:',
    'tape:x:26:postgres,root',
    'empty:x:99:',
  ].join('\n'),
);

test.each([
  ['', 0, 0, [0, 1, 10, 26], '/root'],
  ['root', 0, 0, [0, 1, 10, 26], '/root'],
  ['0', 0, 0, [0, 1, 10, 26], '/root'],
  ['postgres', 70, 71, [71, 26], '/var/lib/postgresql'],
  ['70', 70, 71, [71, 26], '/var/lib/postgresql'],
  ['postgres:wheel', 70, 10, [10], '/var/lib/postgresql'],
  ['postgres:5', 70, 5, [5], '/var/lib/postgresql'],
  ['root:root', 0, 0, [0], '/root'],
  ['1000', 1000, 0, [0], '/'],
  ['1000:1000', 1000, 1000, [1000], '/'],
  ['1000:empty', 1000, 99, [99], '/'],
  ['1001', 2002, 2002, [2002], '/home/odd'],
  [':wheel', 0, 10, [10], '/root'],
] as [string, number, number, number[], string][])('user %j', (text, uid, gid, additionalGids, home) => {
  expect(resolveUser(alpine, text, [], 'services.web')).toEqual({ uid, gid, additionalGids, home });
});

test('group_add brings names and numbers, each once', () => {
  expect(resolveUser(alpine, 'postgres', ['wheel', '1234', 'tape'], 'services.web').additionalGids).toEqual([
    71, 26, 10, 1234,
  ]);
});

test.each([
  ['nobody', [], /services\.web\.user: the image knows no user "nobody"/],
  ['postgres:nogroup', [], /services\.web\.user: the image knows no group "nogroup"/],
  ['0', ['nogroup'], /services\.web\.group_add: the image knows no group "nogroup"/],
  ['-1', [], /no user "-1"/],
  ['4294967295', [], /no user "4294967295"/],
  ['broken', [], /no user "broken"/],
] as [string, string[], RegExp][])('unknown: %j %j', (user, groups, message) => {
  expect(() => resolveUser(alpine, user, groups, 'services.web')).toThrow(message);
});

test('an unknown user names the ones there are; an image without files says so', () => {
  const hint = (accounts: typeof alpine) => {
    try {
      resolveUser(accounts, 'nobody', [], 'services.web');
    } catch (thrown) {
      return (thrown as { hint: string }).hint;
    }
  };
  expect(hint(alpine)).toContain('root, bin, postgres');
  expect(hint({ users: [], groups: [] })).toContain('no /etc/passwd');
});

function withRoot(work: (root: string, read: () => ReturnType<typeof readAccounts>) => void) {
  const root = mkdtempSync(join(tmpdir(), 'stack-users-'));
  mkdirSync(join(root, 'etc'));
  const fd = openSync(root, 'r');
  try {
    work(root, () => readAccounts(loadKernel(), fd));
  } finally {
    closeSync(fd);
    rmSync(root, { recursive: true });
  }
}

test('links are followed inside the root alone', () => {
  withRoot((root, read) => {
    mkdirSync(join(root, 'data'));
    writeFileSync(join(root, 'data/passwd'), 'inside:x:5:5::/in:/bin/sh\n');
    symlinkSync('/data/passwd', join(root, 'etc/passwd'));
    symlinkSync('../../../../../../../../etc/group', join(root, 'etc/group'));
    expect(read()).toEqual({ users: [{ name: 'inside', uid: 5, gid: 5, home: '/in' }], groups: [] });
  });
});

test('what is no regular file counts as missing and is not opened', () => {
  withRoot((root, read) => {
    execFileSync('mkfifo', [join(root, 'etc/passwd')]);
    mkdirSync(join(root, 'etc/group'));
    expect(read()).toEqual({ users: [], groups: [] });
  });
});

test('a file beyond all measure is refused', () => {
  withRoot((root, read) => {
    writeFileSync(join(root, 'etc/passwd'), Buffer.alloc(1024 * 1024 + 1, 'x'));
    expect(read).toThrow(/larger than/);
  });
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: a view over image layers needs root');

test.skipIf(!isRoot)('an image is read over all its layers, and once', () => {
  const root = mkdtempSync(join(tmpdir(), 'stack-users-'));
  try {
    const layers = ['top', 'base'].map((name) => join(root, name));
    for (const layer of layers) mkdirSync(join(layer, 'etc'), { recursive: true });
    writeFileSync(join(root, 'base/etc/passwd'), 'app:x:7:8::/app:/bin/sh\n');
    writeFileSync(join(root, 'base/etc/group'), 'gone:x:9:app\n');
    execFileSync('mknod', [join(root, 'top/etc/group'), 'c', '0', '0']);
    const image = { id: `sha256:${root}`, layers } as StoredImage;
    const expected = { users: [{ name: 'app', uid: 7, gid: 8, home: '/app' }], groups: [] };
    expect(imageAccounts(loadKernel(), image)).toEqual(expected);
    rmSync(join(root, 'base/etc/passwd'));
    expect(imageAccounts(loadKernel(), image)).toEqual(expected);
  } finally {
    rmSync(root, { recursive: true });
  }
});
