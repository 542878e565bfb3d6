import { expect, test } from 'vitest';
import { loaded, loadFiles } from '../load/fixture.ts';
import type { LoadRequest } from '../load/load.ts';
import { explain } from './explain.ts';
import { explanationText } from './text.ts';

const told = (files: Record<string, string>, path: string, request: Partial<LoadRequest> = {}) =>
  explanationText(explain(loaded(loadFiles(files, request)), path));

test('a value that a later file changed', () => {
  const files = {
    'compose.yaml': 'services:\n  web:\n    image: x\n    environment:\n      KEY: old\n',
    'compose.override.yaml': 'services:\n  web:\n    environment:\n      - KEY=new\n',
  };
  expect(told(files, 'services.web.environment.KEY')).toBe(
    [
      'services.web.environment.KEY = "new"',
      '  written at compose.override.yaml:4:9',
      '  instead of "old" at compose.yaml:5:7, of an earlier file or entry',
    ].join('\n'),
  );
});

test('variables: of the environment, of .env, the default in the file, none', () => {
  const files = {
    '.env': '# settings\nTAG=2\nUSER=file\n',
    'compose.yaml': 'services:\n  web:\n    image: "x:${TAG}-${USER}-${V:-${W-w}}-${NONE}-$COMPOSE_PROJECT_NAME"\n',
  };
  expect(told(files, 'services.web.image', { environment: { USER: 'ann' } })).toBe(
    [
      'services.web.image = "x:2-ann-w--p"',
      '  written at compose.yaml:3:5',
      '  as "x:${TAG}-${USER}-${V:-${W-w}}-${NONE}-$COMPOSE_PROJECT_NAME"',
      '  TAG = "2", from .env:2:1',
      '  USER = "ann", from the environment',
      '  V = "${W-w}", not set, default in the file',
      '  W = "w", not set, default in the file',
      '  NONE is not set',
      '  COMPOSE_PROJECT_NAME = "p", the name of the project',
    ].join('\n'),
  );
});

test('env_file, extends and merge keys are shadowed in turn', () => {
  const files = {
    'web.env': 'KEY=from env_file\nOTHER=o\n',
    'base.yaml': 'services:\n  base:\n    image: x\n    environment: {KEY: base}\n    user: base\n',
    'compose.yaml': [
      'x-common: &common',
      '  user: common',
      'services:',
      '  web:',
      '    <<: *common',
      '    extends: {file: base.yaml, service: base}',
      '    user: own',
      '    env_file: web.env',
      '    environment: {KEY: own}',
    ].join('\n'),
  };
  expect(told(files, 'services.web.environment')).toBe(
    [
      'services.web.environment.KEY = "own"',
      '  written at compose.yaml:9:19',
      '  instead of "base" at base.yaml:4:19, of the service it extends',
      '  instead of "from env_file" at web.env:1:1, of an env_file or label_file',
      'services.web.environment.OTHER = "o"',
      '  written at web.env:2:1',
    ].join('\n'),
  );
  expect(told(files, 'services.web.user')).toBe(
    [
      'services.web.user = "own"',
      '  written at compose.yaml:7:5',
      '  instead of "common" at compose.yaml:2:3, of a mapping merged with <<',
      '  instead of "base" at base.yaml:5:5, of the service it extends',
    ].join('\n'),
  );
});

test('a default that is not used is not told of', () => {
  const files = { 'compose.yaml': 'services:\n  web: {image: "x${TAG:-$OTHER}"}\n' };
  expect(told(files, 'services.web.image', { environment: { TAG: '1' } })).not.toMatch(/^ +OTHER/m);
});

test('an included file sees its own .env', () => {
  const files = {
    'compose.yaml': 'include: [sub/compose.yaml]\nservices: {a: {image: x}}\n',
    'sub/.env': 'TAG=9\n',
    'sub/compose.yaml': 'services:\n  b: {image: "y:$TAG"}\n',
  };
  expect(told(files, 'services.b.image')).toContain(
    'written at sub/compose.yaml:2:7\n  as "y:$TAG"\n  TAG = "9", from sub/.env:1:1',
  );
});

test('a name without a value takes the one of the environment', () => {
  const text = 'services:\n  a:\n    image: x\n    environment: [KEY]\n';
  expect(told({ 'compose.yaml': text }, 'services.a.environment.KEY', { environment: { KEY: 'v' } })).toContain(
    'written at compose.yaml:4:19\n  as "${KEY}"\n  KEY = "v", from the environment',
  );
});

test('what no file says, keys with dots, items of lists', () => {
  const files = {
    'compose.yaml': 'services:\n  a:\n    image: x\n    labels: {a.b.c: d}\n    dns: [1.1.1.1, 2.2.2.2]\n',
  };
  expect(told(files, 'services.a.networks')).toContain('default = null\n  written nowhere');
  expect(told(files, 'services.a.labels.a.b.c')).toContain('= "d"\n  written at compose.yaml:4:14');
  expect(told(files, 'services.a.dns.1')).toContain('= "2.2.2.2"\n  written at compose.yaml:5:20');
});

test('parts of a short form follow from it, and from its variables', () => {
  const files = {
    'compose.yaml': 'services:\n  a:\n    image: x\n    ports: ["${PORT:-1}:80"]\n    build: ./d\nvolumes: {v: }\n',
  };
  expect(told(files, 'services.a.ports.0.published')).toBe(
    [
      'services.a.ports.0.published = "1"',
      '  follows from compose.yaml:4:13',
      '  as "${PORT:-1}:80"',
      '  PORT = "1", not set, default in the file',
    ].join('\n'),
  );
  expect(told(files, 'services.a.build.dockerfile')).toContain('= "Dockerfile"\n  follows from compose.yaml:5:5');
  expect(told(files, 'networks.default.name')).toContain('= "p_default"\n  written nowhere');
});

test('a path that leads nowhere is answered with what was probably meant', () => {
  const files = { 'compose.yaml': 'services: {web: {image: x}}\n' };
  expect(() => told(files, 'services.wbe.image')).toThrow(
    expect.objectContaining({ code: 'usage', hint: 'Did you mean `services.web`?' }),
  );
  expect(() => told(files, 'services.web.image.x')).toThrow(expect.objectContaining({ code: 'usage' }));
});
