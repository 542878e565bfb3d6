import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseSettings, readSettings } from './settings.ts';

test('reads every setting', async () => {
  const text = `
registries:
  docker.io:
    mirrors: [http://127.0.0.1:5000]
  registry.example.com:5001: { insecure: true }
  own.example.com: { ca: /ca.crt, clientCert: /c.crt, clientKey: /c.key }
network:
  pools: [{ base: 10.200.0.0/16, size: 24 }]
cgroupParent: /elsewhere
`;
  expect(await parseSettings(text, 's.yaml')).toEqual({
    registries: {
      'docker.io': { mirrors: ['http://127.0.0.1:5000'] },
      'registry.example.com:5001': { insecure: true },
      'own.example.com': { ca: '/ca.crt', clientCert: '/c.crt', clientKey: '/c.key' },
    },
    network: { pools: [{ base: '10.200.0.0/16', size: 24 }] },
    cgroupParent: '/elsewhere',
  });
  expect(await parseSettings('', 's.yaml')).toEqual({});
});

test.each([
  ['registries: [', 'config.yaml', 1, 14],
  ['# c\nregistry: {}\n', 'config.unknown-attribute', 2, 1],
  ['registries:\n  docker.io:\n    mirror: x\n', 'config.unknown-attribute', 3, 5],
  ['registries:\n  docker.io:\n    mirrors: x\n', 'config.type', 3, 14],
  ['registries:\n  docker.io:\n    insecure: maybe\n', 'config.type', 3, 15],
  ['registries:\n  docker.io:\n', 'config.type', 2, 13],
  ['a scalar', 'config.type', 1, 1],
])('%j is refused as %s at %i:%i', async (text, code, line, column) => {
  await expect(parseSettings(text, 's.yaml')).rejects.toMatchObject({ code, where: { file: 's.yaml', line, column } });
});

test('all problems come at once', async () => {
  await expect(parseSettings('one: 1\ncgroupParent: 3\n', 's.yaml')).rejects.toMatchObject({
    also: [expect.anything()],
  });
});

test('a missing default file means defaults; a missing named file is an error', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'stack-settings-'));
  const file = join(dir, 'settings.yaml');
  try {
    await expect(readSettings({ STACK_SETTINGS: file })).rejects.toMatchObject({ code: 'config.not-found' });
    const environment = { STACK_SETTINGS: file, STACK_RUN: join(dir, 'run') };
    for (const parent of ['/a', '/a', '/b']) {
      writeFileSync(file, `cgroupParent: ${parent}\n`);
      expect(await readSettings(environment)).toEqual({ cgroupParent: parent });
    }
    writeFileSync(join(dir, 'run/settings.json'), 'damaged');
    expect(await readSettings(environment)).toEqual({ cgroupParent: '/b' });
    writeFileSync(file, 'cgroupParent: []\n');
    await expect(readSettings(environment)).rejects.toMatchObject({ code: 'config.type' });
  } finally {
    rmSync(dir, { recursive: true });
  }
});
