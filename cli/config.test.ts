/** What `stack config` prints, on files of a folder. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeImage } from '../engine/images/fixtures/image.ts';
import { RegistryFixture } from '../engine/images/fixtures/registry.ts';
import type { Process } from './command.ts';
import { main } from './main.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-config-print-'));
  const text = `name: demo
services:
  web:
    image: registry.test/web:\${TAG:-1}
    environment: {KEY: "\${KEY:?set KEY}", TWO: "\${A:+\${B}}"}
    deploy: {replicas: 2}
    depends_on: [db]
    models: [llm]
    volumes: ["data:/data"]
  db: {image: db, profiles: [all]}
models: {llm: {model: ai/m}}
volumes: {data: }
`;
  writeFileSync(join(folder, 'compose.yaml'), text);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function config(...args: string[]): Promise<string> {
  const streams = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    write(text: string) {
      streams[name] += text;
    },
  });
  const process = {
    arguments: ['-f', join(folder, 'compose.yaml'), '--profile', 'all', 'config', ...args],
    environment: { KEY: 'value' },
    stdin: {},
    stdout: sink('stdout'),
    stderr: sink('stderr'),
  } as unknown as Process;
  const exitCode = await main(process);
  return exitCode === 0 ? streams.stdout : `${exitCode}: ${streams.stderr}`;
}

test.each([
  ['--services', 'db\nweb\n'],
  ['--images', 'db\nregistry.test/web:1\n'],
  ['--volumes', 'data\n'],
  ['--networks', 'default\n'],
  ['--models', 'ai/m\n'],
  ['--profiles', 'all\n'],
  ['--quiet', ''],
])('%s', async (flag, expected) => expect(await config(flag)).toBe(expected));

test('of several lists the first of docker compose is printed; what only Stack has stands alone', async () => {
  expect(await config('--images', '--services')).toBe('db\nweb\n');
  expect(await config('--lint', '--services')).toContain('cannot be');
});

test('--variables is a table, or an object by name', async () => {
  expect(await config('--variables')).toBe(
    [
      'NAME   REQUIRED   DEFAULT VALUE   ALTERNATE VALUE',
      'A      false                      ${B}',
      'B      false',
      'KEY    true',
      'TAG    false      1',
      '',
    ].join('\n'),
  );
  expect(JSON.parse(await config('--variables', '--format', 'json'))).toMatchObject({
    TAG: { Name: 'TAG', DefaultValue: '1', PresenceValue: '', Required: false },
    KEY: { Required: true },
  });
  expect(await config('--variables', '--format', 'yaml')).toContain('TAG:\n  name: TAG\n  defaultvalue: "1"\n');
});

test('--hash changes with what a container is made from, and with nothing else', async () => {
  const before = await config('--hash', '*');
  expect(before).toMatch(/^db [0-9a-f]{64}\nweb [0-9a-f]{64}\n$/);
  expect(await config('--hash', 'db')).toBe(`${before.split('\n')[0]}\n`);
  expect(await config('--hash', 'dbb')).toContain('no such service: dbb');
  const file = join(folder, 'compose.yaml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('replicas: 2', 'replicas: 3').replace('depends_on: [db]', 'profiles: [all]'));
  expect(await config('--hash', '*')).toBe(before);
  writeFileSync(file, text.replace('"data:/data"', '"data:/other"'));
  const after = await config('--hash', '*');
  expect(after.split('\n')[0]).toBe(before.split('\n')[0]);
  expect(after.split('\n')[1]).not.toBe(before.split('\n')[1]);
  writeFileSync(file, text);
});

test('--no-interpolate prints variables as they are written', async () => {
  expect(await config('--no-interpolate')).toContain('image: registry.test/web:${TAG:-1}\n');
});

test('--lint tells what may not be meant, with its line', async () => {
  expect(await config('--lint')).toBe('');
  const file = join(folder, 'compose.yaml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('{data: }', '{data: , spare: }'));
  expect(await config('--lint')).toMatch(
    /compose.yaml:\d+:19: volumes.spare: no service uses it\n +\d+ \| volumes: .*\n +\| +\^{5}\n {2}It is not created: name it/,
  );
  expect(await config('--services')).toBe('db\nweb\n');
  writeFileSync(file, text);
});

test('digests: added to every image that is pulled, or alone as a file to give beside', async () => {
  await using registry = await RegistryFixture.start();
  const image = makeImage([[{ name: 'a', content: 'a' }]], { compression: 'gzip', architecture: 'amd64' });
  registry.push('app', '1', image);
  const file = join(folder, 'compose.yaml');
  const text = readFileSync(file, 'utf8');
  const own = `services:\n  web: {image: "${registry.host}/app:1", volumes: [{type: image, source: "${registry.host}/app:1", target: /app}]}\n  made: {build: ., image: made}\n`;
  writeFileSync(file, own);
  const pinned = `${registry.host}/app:1@${image.manifest.digest}`;
  const { services } = JSON.parse(await config('--resolve-image-digests', '--format', 'json'));
  expect([services.web.image, services.made.image]).toEqual([pinned, 'made']);
  expect(await config('--lock-image-digests')).toBe(
    [
      'services:',
      '  web:',
      `    image: ${pinned}`,
      '    volumes:',
      '      - type: image',
      `        source: ${pinned}`,
      '        target: /app',
      '  made:',
      '    image: made',
      '',
    ].join('\n'),
  );
  writeFileSync(file, text);
});

test('--explain, as text and as JSON', async () => {
  const path = 'services.web.environment.KEY';
  expect(await config('--explain', path)).toContain(`${path} = "value"\n  written at `);
  expect(JSON.parse(await config('--explain', path, '--format', 'json'))).toMatchObject([
    { path, value: 'value', where: { line: 5, column: 19 }, variables: [{ name: 'KEY', from: 'environment' }] },
  ]);
});
