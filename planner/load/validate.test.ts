import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadFiles, messages } from './fixture.ts';
import { knownAttributes } from './validate.ts';

const check = (text: string) => messages(loadFiles({ 'compose.yaml': text }));
const a = (attributes: string) => check(`services:\n  a:\n    image: x\n    ${attributes}\n`);

test.each([
  [
    'enviroment: {A: 1}',
    'compose.yaml:4:5 config.unknown-attribute services.a.enviroment is no attribute of services.a',
  ],
  ['image2: x', 'compose.yaml:4:5 config.unknown-attribute services.a.image2 is no attribute of services.a'],
  ['ports: 80', 'compose.yaml:4:12 config.type services.a.ports: expected a list, found the number 80'],
  [
    'ports: [[1]]',
    'compose.yaml:4:13 config.type services.a.ports.0: expected a number, a string or a mapping, found a list',
  ],
  [
    'ports: [{target: 1, pub: 2}]',
    'compose.yaml:4:25 config.unknown-attribute services.a.ports.0.pub is no attribute of services.a.ports.0',
  ],
  ['user: 1000', 'compose.yaml:4:11 config.type services.a.user: expected a string, found the number 1000'],
  ['tty: [1]', 'compose.yaml:4:10 config.type services.a.tty: expected true or false, found a list'],
  ['tty: maybe', 'compose.yaml:4:10 config.value services.a.tty: expected true or false, found "maybe"'],
  ['scale: two', 'compose.yaml:4:12 config.value services.a.scale: expected a number, found "two"'],
  ['scale: 1.5', 'compose.yaml:4:12 config.type services.a.scale: expected a whole number, found the number 1.5'],
  ['build: 5', 'compose.yaml:4:12 config.type services.a.build: expected a path or a mapping, found the number 5'],
  [
    'build: {contxt: .}',
    'compose.yaml:4:13 config.unknown-attribute services.a.build.contxt is no attribute of services.a.build',
  ],
  [
    'build: {args: 5}',
    'compose.yaml:4:19 config.type services.a.build.args: expected a mapping or a list, found the number 5',
  ],
  [
    'healthcheck: {test: [CMD, 1]}',
    'compose.yaml:4:31 config.type services.a.healthcheck.test.1: expected a string, found the number 1',
  ],
  [
    'volumes: [{type: disk, target: /x}]',
    'compose.yaml:4:22 config.type services.a.volumes.0.type: expected one of bind, volume, tmpfs, cluster, npipe, image, found the string "disk"',
  ],
  [
    'deploy: {resources: {limits: {memroy: 1g}}}',
    'compose.yaml:4:35 config.unknown-attribute services.a.deploy.resources.limits.memroy is no attribute of services.a.deploy.resources.limits',
  ],
  [
    'logging: json-file',
    'compose.yaml:4:14 config.type services.a.logging: expected a mapping, found the string "json-file"',
  ],
  [
    'environment: text',
    'compose.yaml:4:18 config.type services.a.environment: expected a mapping or a list, found the string "text"',
  ],
  [
    'depends_on: {b: {condition: ready}}',
    'compose.yaml:4:33 config.type services.a.depends_on.b.condition: expected one of service_started, service_healthy, service_completed_successfully, found the string "ready"',
  ],
])('%s', (attributes, message) => {
  expect(a(attributes)).toContain(message);
});

test('a near miss is suggested', () => {
  const hint = (text: string) => {
    const result = loadFiles({ 'compose.yaml': text });
    return result.ok ? undefined : result.errors[0]!.hint;
  };
  expect(hint('services: {a: {image: x, enviroment: {}}}')).toBe('Did you mean `environment`?');
  expect(hint('servces: {a: {image: x}}')).toBe('Did you mean `services`?');
  expect(hint('services: {a: {image: x, deploy: {resources: {limit: {}}}}}')).toBe('Did you mean `limits`?');
  expect(hint('services: {a: {image: x, zzzzzzzz: {}}}')).toBe('Attributes of your own begin with x-.');
});

test('attributes beginning with x- are allowed on every level', () => {
  expect(
    check(
      'x-a: 1\nservices:\n  a:\n    image: x\n    x-b: {}\n    deploy: {x-c: 1}\n    ports: [{target: 1, x-d: 2}]\n',
    ),
  ).toEqual([]);
});

test('all problems of all phases and files come in one answer, in the order of the files', () => {
  const result = loadFiles(
    {
      'a.yaml':
        'services:\n  a:\n    image: x\n    prots: []\n    ports: [nope]\n    command: ${X!}\n    depends_on: [gone]\n',
      'b.yaml': 'services:\n  b: 7\n  c:\n    imag: x\n',
    },
    { files: ['a.yaml', 'b.yaml'] },
  );
  expect(messages(result).map((message) => message.split(' ').slice(0, 2).join(' '))).toEqual([
    'a.yaml:4:5 config.unknown-attribute',
    'a.yaml:5:13 config.value',
    'a.yaml:6:14 config.interpolation',
    'a.yaml:7:18 config.undefined-reference',
    'b.yaml:2:6 config.type',
    'b.yaml:4:5 config.unknown-attribute',
  ]);
});

test('a project name, a file without services and an empty file', () => {
  expect(messages(loadFiles({ 'compose.yaml': 'services: {a: {image: x}}' }, { projectName: 'Bad Name' }))).toEqual([
    expect.stringContaining('config.project-name "Bad Name"'),
  ]);
  expect(check('')).toEqual(['compose.yaml:1:1 config.yaml compose.yaml is empty']);
  expect(check('services: []\n')).toEqual(['compose.yaml:1:11 config.type services: expected a mapping, found a list']);
});

interface JsonSchema {
  $ref?: string;
  properties?: Record<string, JsonSchema>;
  patternProperties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  oneOf?: JsonSchema[];
  definitions?: Record<string, JsonSchema>;
}

test('every attribute of the specification is known', () => {
  // compose-spec's JSON schema, Apache-2.0, as published.
  const schema: JsonSchema = JSON.parse(readFileSync(join(import.meta.dirname, 'compose-spec.schema.json'), 'utf8'));
  const missing: string[] = [];
  let count = 0;
  const visit = (node: JsonSchema, path: (string | number)[]) => {
    if (path.length > 12) return;
    if (node.$ref) visit(schema.definitions![node.$ref.replace('#/definitions/', '')]!, path);
    const known = node.properties && new Set(knownAttributes(path));
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      count++;
      if (!known!.has(key)) missing.push([...path, key].join('.'));
      visit(child, [...path, key]);
    }
    for (const [pattern, child] of Object.entries(node.patternProperties ?? {})) {
      if (pattern !== '^x-') visit(child, [...path, 'name']);
    }
    if (node.items) visit(node.items, [...path, 0]);
    for (const option of node.oneOf ?? []) visit(option, path);
  };
  visit(schema, []);
  expect(count).toBeGreaterThan(250);
  expect(missing).toEqual([]);
});
