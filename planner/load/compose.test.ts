/** Several files: merging, `extends`, `include`, profiles, environment files, discovery. */
import { describe, expect, test } from 'vitest';
import { loaded, loadFiles, messages } from './fixture.ts';

type Files = Record<string, string>;
const project = (files: Files, request = {}) => loaded(loadFiles(files, request)).project;
const serviceOf = (files: Files, name = 'a') => project(files).services[name] as unknown as Record<string, unknown>;

describe('merging of compose.override.yaml', () => {
  const merged = (base: string, over: string) =>
    serviceOf({
      'compose.yaml': `services:\n  a: {image: x, ${base}}\n  b: {image: y}\nvolumes: {va: , vb: , vc: }\nnetworks: {n: , m: }\n`,
      'compose.override.yaml': `services:\n  a: {${over}}\n`,
    });
  const targets = (value: unknown, key = 'target') => (value as Record<string, unknown>[]).map((item) => item[key]);

  test.each<[string, string, string, unknown]>([
    ['user: x', 'user: z', 'user', 'z'],
    ['command: [a, b]', 'command: c', 'command', ['c']],
    ['entrypoint: [a]', 'entrypoint: []', 'entrypoint', []],
    ['environment: {A: 1, B: 2}', 'environment: [B=3, C=4]', 'environment', { A: '1', B: '3', C: '4' }],
    ['labels: [l=1]', 'labels: {l: 2, m: 3}', 'labels', { l: '2', m: '3' }],
    ['dns: 1.1.1.1', 'dns: [2.2.2.2, 1.1.1.1]', 'dns', ['1.1.1.1', '2.2.2.2']],
    ['tmpfs: /x', 'tmpfs: [/y]', 'tmpfs', ['/x', '/y']],
    ['expose: [80]', 'expose: [80, 81]', 'expose', ['80', '81']],
    [
      'healthcheck: {test: [CMD, a], interval: 1s}',
      'healthcheck: {test: b}',
      'healthcheck',
      { test: ['CMD-SHELL', 'b'], interval: '1s' },
    ],
    [
      'logging: {driver: local, options: {a: b}}',
      'logging: {options: {c: d}}',
      'logging',
      { driver: 'local', options: { a: 'b', c: 'd' } },
    ],
    ['logging: {driver: local, options: {a: b}}', 'logging: {driver: json-file}', 'logging', { driver: 'json-file' }],
    [
      'depends_on: [b]',
      'depends_on: {b: {condition: service_healthy}}',
      'depends_on',
      { b: { condition: 'service_healthy', required: true } },
    ],
    ['extra_hosts: [a=1.1.1.1]', 'extra_hosts: {c: 4.4.4.4}', 'extra_hosts', ['a=1.1.1.1', 'c=4.4.4.4']],
    ['ulimits: {nofile: 10, nproc: {soft: 1, hard: 2}}', 'ulimits: {nproc: 9}', 'ulimits', { nofile: 10, nproc: 9 }],
    ['networks: [n]', 'networks: {m: {aliases: [q]}}', 'networks', { n: null, m: { aliases: ['q'] } }],
    ['networks: {n: {aliases: [p]}}', 'networks: [n]', 'networks', { n: { aliases: ['p'] } }],
    ['x-a: {l: [1]}', 'x-a: {m: 2}', 'x-a', { m: 2 }],
    ['environment: {A: 1, B: 2}', 'environment: {A: !reset null}', 'environment', { B: '2' }],
    ['environment: {A: 1, B: 2}', 'environment: !override {C: 3}', 'environment', { C: '3' }],
    ['dns: [1.1.1.1]', 'dns: !reset []', 'dns', undefined],
  ])('%s + %s', (base, over, key, value) => {
    expect(merged(base, over)[key]).toEqual(value);
  });

  test('ports are known by address, port and protocol; mounts by target', () => {
    const ports = merged('ports: ["80:80", "81:81"]', 'ports: ["80:80", {target: 81, published: 81}, "82:82"]').ports;
    expect(targets(ports)).toEqual([80, 81, 82]);
    const { volumes } = merged('volumes: ["va:/a", "vb:/b"]', 'volumes: ["vc:/a", "./q:/q"]');
    expect(targets(volumes)).toEqual(['/a', '/b', '/q']);
    expect(targets(volumes, 'source')).toEqual(['vc', 'vb', '/p/q']);
  });

  test('later files are relative to the first one, and their positions are their own', () => {
    const files = {
      'one/a.yaml': 'services:\n  a: {image: x}\n',
      'two/b.yaml': 'services:\n  a:\n    volumes: ["./d:/d"]\n',
    };
    const result = loaded(loadFiles(files, { files: ['one/a.yaml', 'two/b.yaml'] }));
    expect(result.project.services.a!.volumes).toMatchObject([{ source: '/p/one/d' }]);
    expect(result.position(['services', 'a', 'image'])).toMatchObject({ file: 'one/a.yaml', line: 2, column: 7 });
    expect(result.position(['services', 'a', 'volumes', 0])).toMatchObject({ file: 'two/b.yaml', line: 3, column: 15 });
    expect(result.files).toEqual(['/p/one/a.yaml', '/p/two/b.yaml']);
  });

  test('documents of one file merge like files', () => {
    const text = 'services: {a: {image: x}}\n---\nservices: {a: {command: q}, b: {image: y}}\n';
    expect(Object.keys(project({ 'compose.yaml': text }).services)).toEqual(['a', 'b']);
  });
});

describe('extends', () => {
  const base =
    'services:\n  base:\n    image: base\n    build: .\n    env_file: e.env\n    environment: {A: 1, B: 2}\n    volumes: ["./d:/d"]\n    ports: ["80:80"]\n    command: echo\n';

  test('another file: its paths are relative to it, what is said here goes over it', () => {
    const files = {
      'sub/base.yaml': base,
      'sub/e.env': 'Z=1\n',
      'compose.yaml':
        'services:\n  a:\n    extends: {file: sub/base.yaml, service: base}\n    environment: {B: 3}\n    ports: ["81:81"]\n',
    };
    expect(serviceOf(files)).toMatchObject({
      image: 'base',
      build: { context: '/p/sub' },
      environment: { A: '1', B: '3', Z: '1' },
      volumes: [{ source: '/p/sub/d' }],
      ports: [{ target: 80 }, { target: 81 }],
    });
    expect(serviceOf(files)).not.toHaveProperty('extends');
    const { position } = loaded(loadFiles(files));
    expect(position(['services', 'a', 'environment', 'A'])).toMatchObject({ file: 'sub/base.yaml', line: 6 });
    expect(position(['services', 'a', 'environment', 'B'])).toMatchObject({ file: 'compose.yaml', line: 4 });
  });

  test('what is added to the one does not appear in the other', () => {
    const text =
      'services:\n  a: {extends: base, scale: 2, links: [c]}\n  base: {image: x, deploy: {labels: [l=1]}, depends_on: [b]}\n  b: {image: x}\n  c: {image: x}\n';
    expect(serviceOf({ 'compose.yaml': text }, 'base')).toEqual({
      image: 'x',
      command: null,
      entrypoint: null,
      networks: { default: null },
      deploy: { labels: { l: '1' }, placement: {}, resources: {} },
      depends_on: { b: { condition: 'service_started', required: true } },
    });
  });

  test('the same file, in a chain, and !reset of what is inherited', () => {
    const text =
      'services:\n  a: {extends: b, command: !reset null}\n  b: {extends: {service: c}, tty: true}\n  c: {image: c, command: x, init: true}\n';
    expect(serviceOf({ 'compose.yaml': text })).toMatchObject({ image: 'c', tty: true, init: true, command: null });
  });

  test.each([
    [
      'a: {extends: b}\n  b: {extends: a}',
      'services.a.extends: a cycle: compose.yaml: a → compose.yaml: b → compose.yaml: a',
    ],
    ['a: {extends: a}', 'services.a.extends: a cycle: compose.yaml: a → compose.yaml: a'],
    ['a: {extends: bb}\n  b: {image: x}', 'services.a.extends: no service bb in compose.yaml'],
    ['a: {extends: {file: gone.yaml, service: b}}', 'gone.yaml: no such file'],
    ['a: {extends: {file: compose.yaml}}', 'services.a.extends: the attribute service is missing'],
  ])('%s is refused', (text, message) => {
    const found = messages(loadFiles({ 'compose.yaml': `services:\n  ${text}\n` }));
    expect(found[0]).toMatch(/^compose.yaml:\d+:\d+ /);
    expect(found[0]).toContain(message);
  });
});

describe('include', () => {
  const files = {
    'compose.yaml': 'include: [sub/compose.yaml]\nservices:\n  a: {image: "x${V:-none}", depends_on: [inc]}\n',
    'sub/compose.yaml':
      'name: other\nservices:\n  inc: {image: "i:${V}", volumes: ["./d:/d", "vv:/v"]}\nvolumes: {vv: }\n',
    'sub/.env': 'V=sub\n',
  };

  test('a project of its own directory and variables', () => {
    const result = project(files);
    expect(result.name).toBe('p');
    expect(result.services.a!.image).toBe('xnone');
    expect(result.services.inc).toMatchObject({ image: 'i:sub', volumes: [{ source: '/p/sub/d' }, { source: 'vv' }] });
    expect(result.volumes).toEqual({ vv: { name: 'p_vv' } });
  });

  test('variables of the including project come first', () => {
    expect(project(files, { environment: { V: 'main' } }).services.inc!.image).toBe('i:main');
  });

  test('several paths merge; env_file and project_directory', () => {
    const text = 'include:\n  - path: [o/a.yaml, o/b.yaml]\n    env_file: o/x.env\n    project_directory: .\n';
    const result = project({
      'compose.yaml': text,
      'o/a.yaml': 'services: {a: {image: "o:${V}", volumes: ["./d:/d"]}}\n',
      'o/b.yaml': 'services: {a: {command: hi}}\n',
      'o/x.env': 'V=1\n',
    });
    expect(result.services.a).toMatchObject({ image: 'o:1', command: ['hi'], volumes: [{ source: '/p/d' }] });
  });

  test('an override file may change what is included', () => {
    const result = project({ ...files, 'compose.override.yaml': 'services: {inc: {command: hi}}\n' });
    expect(result.services.inc!.command).toEqual(['hi']);
  });

  test.each<[Files, string]>([
    [
      { 'compose.yaml': 'include: [compose.yaml]\nservices: {a: {image: x}}\n' },
      'compose.yaml:1:11 config.include include: a cycle: compose.yaml → compose.yaml',
    ],
    [
      { 'compose.yaml': 'include: [b.yaml]\n', 'b.yaml': 'include: [compose.yaml]\n' },
      'b.yaml:1:11 config.include include: a cycle: compose.yaml → b.yaml → compose.yaml',
    ],
    [
      { 'compose.yaml': 'include: [gone.yaml]\nservices: {a: {image: x}}\n' },
      'compose.yaml:1:11 config.unreadable gone.yaml: no such file',
    ],
    [
      { 'compose.yaml': 'include: [b.yaml]\nservices: {a: {image: x}}\n', 'b.yaml': 'services: {a: {image: y}}\n' },
      'compose.yaml:2:12 config.include services.a is defined here and in an included file',
    ],
  ])('%j is refused', (all, message) => {
    expect(messages(loadFiles(all))[0]).toBe(message);
  });
});

describe('profiles', () => {
  const text =
    'services:\n  a: {image: x}\n  d: {image: x, profiles: [debug], depends_on: [e]}\n  e: {image: x, profiles: [debug, extra], volumes: ["vv:/v"]}\nvolumes: {vv: }\n';
  const names = (request: object) => Object.keys(project({ 'compose.yaml': text }, request).services);

  test('off unless asked for', () => {
    const result = loaded(loadFiles({ 'compose.yaml': text }));
    expect(Object.keys(result.project.services)).toEqual(['a']);
    expect(Object.keys(result.disabled)).toEqual(['d', 'e']);
    expect(result.project.volumes).toEqual({});
  });

  test.each([
    [{ profiles: ['debug'] }, ['a', 'd', 'e']],
    [{ profiles: ['extra'] }, ['a', 'e']],
    [{ profiles: ['*'] }, ['a', 'd', 'e']],
    [{ environment: { COMPOSE_PROFILES: 'extra,more' } }, ['a', 'e']],
    [{ services: ['d'] }, ['a', 'd', 'e']],
    [{ services: ['a'] }, ['a']],
  ])('%j', (request, expected) => expect(names(request)).toEqual(expected));

  test('a service that is off is no dependency', () => {
    const files = { 'compose.yaml': 'services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, profiles: [q]}\n' };
    expect(messages(loadFiles(files))).toEqual([
      'compose.yaml:2:30 config.undefined-reference services.a.depends_on.b: service b is off: it belongs to profile q',
    ]);
    const optional = files['compose.yaml'].replace('[b]', '{b: {condition: service_started, required: false}}');
    expect(serviceOf({ 'compose.yaml': optional })).not.toHaveProperty('depends_on');
  });

  test('a service nobody knows', () => {
    const result = loadFiles({ 'compose.yaml': text }, { services: ['aa'] });
    expect(messages(result)).toEqual(['- config.no-service no such service: aa']);
  });
});

describe('env_file and label_file', () => {
  test('later files over earlier ones, environment over all, names without a value from the project', () => {
    const files = {
      'compose.yaml':
        'services:\n  a:\n    image: x\n    env_file: [one.env, {path: two.env, required: true}, {path: gone.env, required: false}]\n    environment: {C: own, D: }\n',
      'one.env': 'A=1\nB=1\nC=1\nHOST_ONLY\n',
      'two.env': 'B="${A}2"\n',
      '.env': 'D=dotenv\nHOST_ONLY=h\n',
    };
    expect(serviceOf(files).environment).toEqual({ A: '1', B: '12', C: 'own', D: 'dotenv', HOST_ONLY: 'h' });
    expect(serviceOf(files)).not.toHaveProperty('env_file');
  });

  test('raw format and labels', () => {
    const files = {
      'compose.yaml':
        'services:\n  a:\n    image: x\n    env_file: [{path: r.env, format: raw}]\n    label_file: l.env\n    labels: [b=own]\n',
      'r.env': 'A="$X"\n',
      'l.env': 'a=1\nb=2\n',
    };
    expect(serviceOf(files)).toMatchObject({ environment: { A: '"$X"' }, labels: { a: '1', b: 'own' } });
  });

  test('a file that must be there', () => {
    const text =
      'services:\n  a:\n    image: x\n    env_file: gone.env\n  b: {image: x, profiles: [off], env_file: gone2.env}\n';
    expect(messages(loadFiles({ 'compose.yaml': text }))).toEqual([
      'compose.yaml:4:15 config.unreadable services.a.env_file: gone.env: no such file',
    ]);
  });
});

describe('discovery', () => {
  const stack = 'services: {a: {image: "x:${T-}"}}\n';
  const nameOf = (files: Files, request = {}) => project(files, request).name;

  test.each(['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml', 'stack.yaml', 'stack.yml'])(
    '%s is found',
    (name) => {
      expect(nameOf({ [name]: stack })).toBe('p');
    },
  );

  test('in a directory above, with its .env', () => {
    const files = { 'compose.yaml': stack, '.env': 'T=1\n' };
    const result = loaded(loadFiles(files, { workingDir: '/p/deep/er' }));
    expect(result.project.services.a!.image).toBe('x:1');
    expect(result.projectDirectory).toBe('/p');
  });

  test.each<[object, string]>([
    [{ projectName: 'cli', environment: { COMPOSE_PROJECT_NAME: 'env' } }, 'cli'],
    [{ environment: { COMPOSE_PROJECT_NAME: 'env' } }, 'env'],
    [{}, 'file-x'],
  ])('the name: %j → %s', (request, name) => {
    expect(nameOf({ 'compose.yaml': `name: file-\${N:-x}\n${stack}` }, request)).toBe(name);
  });

  test('the name of the directory, made fit', () => {
    expect(nameOf({ 'My App.v2/compose.yaml': stack }, { files: ['My App.v2/compose.yaml'] })).toBe('myappv2');
  });

  test('interpolation knows the name', () => {
    const text = 'name: n1\nservices: {a: {image: "x:${COMPOSE_PROJECT_NAME}"}}\n';
    expect(serviceOf({ 'compose.yaml': text }).image).toBe('x:n1');
  });

  test('env files: --env-file instead of .env, the process before both', () => {
    const files = { 'compose.yaml': stack, '.env': 'T=dot\n', 'x.env': 'T=x\n', 'y.env': 'T=y\n' };
    const image = (request: object) => project(files, request).services.a!.image;
    expect(image({})).toBe('x:dot');
    expect(image({ envFiles: ['x.env', 'y.env'] })).toBe('x:y');
    expect(image({ environment: { T: 'p' } })).toBe('x:p');
    expect(messages(loadFiles(files, { envFiles: ['gone.env'] }))).toEqual([
      '- config.unreadable env file gone.env: no such file',
    ]);
  });

  test('COMPOSE_FILE, also from .env', () => {
    const files = { 'a.yaml': stack, 'b.yaml': 'services: {b: {image: y}}\n', '.env': 'COMPOSE_FILE=a.yaml:b.yaml\n' };
    expect(Object.keys(project(files).services)).toEqual(['a', 'b']);
    expect(Object.keys(project(files, { files: ['b.yaml'] }).services)).toEqual(['b']);
  });

  test('no file at all, and one that is not there', () => {
    expect(messages(loadFiles({}))).toEqual(['- config.not-found no stack file in /p or any directory above it']);
    expect(messages(loadFiles({}, { files: ['x.yaml'] }))).toEqual(['- config.not-found x.yaml: no such file']);
  });
});
