import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatError } from '../diagnose.ts';
import { loadFiles } from './fixture.ts';
import { type LoadRequest, load } from './load.ts';

const told = (text: string, request: Partial<LoadRequest> = {}) =>
  loadFiles({ 'compose.yaml': text }, request)
    .warnings.map((warning) => formatError(warning, () => text))
    .join('\n');
const hinted = (text: string, request: Partial<LoadRequest> = {}) => told(text, { hints: true, ...request });

test('a health check that is turned off is waited for', () => {
  const text = `services:
  web: {image: x, depends_on: {db: {condition: service_healthy}}}
  db: {image: y, healthcheck: {disable: true}}
`;
  expect(told(text)).toMatchInlineSnapshot(`
    "compose.yaml:2:32: services.web.depends_on.db: waits for db to be healthy, and the health check of db is turned off
      2 |   web: {image: x, depends_on: {db: {condition: service_healthy}}}
        |                                ^^
      \`stack up\` will fail there: turn the check on, or wait with condition: service_started."
  `);
  expect(told(text.replace('disable: true', 'test: [NONE]'))).toBe(told(text));
});

test('a health check that only the image may have', () => {
  const text = 'services:\n  web: {image: x, depends_on: {db: {condition: service_healthy}}}\n  db: {image: y}\n';
  expect(told(text)).toBe('');
  expect(hinted(text)).toMatchInlineSnapshot(`
    "compose.yaml:2:32: services.web.depends_on.db: waits for db to be healthy, and db has no health check of its own
      2 |   web: {image: x, depends_on: {db: {condition: service_healthy}}}
        |                                ^^
      Unless its image has one, \`stack up\` will fail there: add services.db.healthcheck."
  `);
});

test('scalars that lose their characters', () => {
  const text = `services:
  a:
    image: x
    environment: {MODE: 0644, VERSION: 1.10, BIG: 1_000, FLAG: True, PLAIN: 7, QUOTED: "0644"}
    ports: [8080]
    configs: [{source: c, mode: 0440}]
configs: {c: {content: c}}
`;
  expect(told(text)).toMatchInlineSnapshot(`
    "compose.yaml:4:25: services.a.environment.MODE: 0644 is read as the number 420
      4 |     environment: {MODE: 0644, VERSION: 1.10, BIG: 1_000, FLAG: True, PLAIN: 7, QUOTED: "0644"}
        |                         ^^^^
      Write "0644" to keep its characters.
    compose.yaml:4:40: services.a.environment.VERSION: 1.10 is read as the number 1.1
      4 |     environment: {MODE: 0644, VERSION: 1.10, BIG: 1_000, FLAG: True, PLAIN: 7, QUOTED: "0644"}
        |                                        ^^^^
      Write "1.10" to keep its characters.
    compose.yaml:4:51: services.a.environment.BIG: 1_000 is read as the number 1000
      4 |     environment: {MODE: 0644, VERSION: 1.10, BIG: 1_000, FLAG: True, PLAIN: 7, QUOTED: "0644"}
        |                                                   ^^^^^
      Write "1_000" to keep its characters.
    compose.yaml:4:64: services.a.environment.FLAG: True is read as true
      4 |     environment: {MODE: 0644, VERSION: 1.10, BIG: 1_000, FLAG: True, PLAIN: 7, QUOTED: "0644"}
        |                                                                ^^^^
      Write "True" to keep its characters."
  `);
});

test('words and numbers of YAML 1.1', () => {
  const text = 'services:\n  a:\n    image: x\n    restart: no\n    environment: {DEBUG: yes}\n    ports: [22:22]\n';
  expect(told(text)).toBe('');
  expect(hinted(text)).toMatchInlineSnapshot(`
    "compose.yaml:4:14: services.a.restart: no is the word here, and a truth value to readers of YAML 1.1
      4 |     restart: no
        |              ^^
      Write "no" for all of them.
    compose.yaml:5:26: services.a.environment.DEBUG: yes is the word here, and a truth value to readers of YAML 1.1
      5 |     environment: {DEBUG: yes}
        |                          ^^^
      Write "yes" for all of them.
    compose.yaml:6:13: services.a.ports.0: port 22 is reached from everywhere: it is published on all addresses of this machine
      6 |     ports: [22:22]
        |             ^^^^^
      Write 127.0.0.1:22:22 to have it on this machine only, or 0.0.0.0:22:22 to say that it is meant.
    compose.yaml:6:13: services.a.ports.0: 22:22 is text here, and a number of base 60 to readers of YAML 1.1
      6 |     ports: [22:22]
        |             ^^^^^
      Write "22:22" for all of them."
  `);
});

test('a dollar sign that is lost', () => {
  const text = 'services:\n  a:\n    image: x:$TAG\n    command: echo $FOO\n';
  expect(told(text)).toMatchInlineSnapshot(`
    "compose.yaml:3:14: The "TAG" variable is not set. Defaulting to a blank string.
      3 |     image: x:$TAG
        |              ^^^^
      Set it in the environment or in the .env file, or write $$ where the dollar sign itself is meant.
    compose.yaml:4:19: The "FOO" variable is not set. Defaulting to a blank string.
      4 |     command: echo $FOO
        |                   ^^^^
      Write $$FOO to have the container fill it in."
  `);
});

test('a variable of the container that is filled in too early', () => {
  const text = 'services:\n  a:\n    image: x\n    command: sh -c "echo $HOME $$PATH ${TAG-1}"\n';
  const request = { environment: { HOME: '/root', PATH: '/bin' } };
  expect(told(text, request)).toBe('');
  expect(hinted(text, request)).toMatchInlineSnapshot(`
    "compose.yaml:4:5: services.a.command: $HOME is filled in here, from the environment of \`stack\`
      4 |     command: sh -c "echo $HOME $$PATH \${TAG-1}"
        |     ^^^^^^^
      Write $$HOME to have the container fill it in."
  `);
});

test('ports on all addresses', () => {
  const text = 'services:\n  a:\n    image: x\n    ports: ["8080:80", "127.0.0.1:81:81", "0.0.0.0:82:82", "83"]\n';
  expect(told(text)).toBe('');
  expect(hinted(text)).toMatchInlineSnapshot(`
    "compose.yaml:4:13: services.a.ports.0: port 8080 is reached from everywhere: it is published on all addresses of this machine
      4 |     ports: ["8080:80", "127.0.0.1:81:81", "0.0.0.0:82:82", "83"]
        |             ^^^^^^^^^
      Write 127.0.0.1:8080:80 to have it on this machine only, or 0.0.0.0:8080:80 to say that it is meant."
  `);
});

test('top-level objects nobody uses; one of a service that is off is used', () => {
  const text = `services:
  a: {image: x, profiles: [off], volumes: [v:/v], networks: [n]}
  b: {image: y, build: {context: ., secrets: [s]}}
volumes: {v: , w: }
networks: {default: , n: , m: }
secrets: {s: {file: s}, t: {file: t}}
`;
  expect(told(text)).toBe('');
  expect(hinted(text)).toMatchInlineSnapshot(`
    "compose.yaml:4:16: volumes.w: no service uses it
      4 | volumes: {v: , w: }
        |                ^
      It is not created: name it in a service, or remove it.
    compose.yaml:5:28: networks.m: no service uses it
      5 | networks: {default: , n: , m: }
        |                            ^
      It is not created: name it in a service, or remove it.
    compose.yaml:6:25: secrets.t: no service uses it
      6 | secrets: {s: {file: s}, t: {file: t}}
        |                         ^
      It is not created: name it in a service, or remove it."
  `);
});

test('version', () => {
  expect(told('version: "3"\nservices: {a: {image: x}}\n')).toMatchInlineSnapshot(`
    "compose.yaml:1:1: compose.yaml: the attribute version is obsolete and ignored
      1 | version: "3"
        | ^^^^^^^"
  `);
});

const corpus = join(import.meta.dirname, 'corpus');
test.each(readdirSync(corpus).filter((name) => statSync(join(corpus, name)).isDirectory()))(
  '%s has no warning that docker compose does not have',
  (name) => {
    const { warnings } = load({
      workingDir: join(corpus, name),
      profiles: ['*'],
      environment: { HOME: '/root' },
      io: {
        read: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
        kind: (path) => {
          const stats = statSync(path, { throwIfNoEntry: false });
          return stats && (stats.isDirectory() ? 'directory' : 'file');
        },
      },
    });
    const own = warnings.filter(
      ({ message }) => !/variable is not set\. Defaulting|attribute version is obsolete/.test(message),
    );
    expect(own.map(({ message }) => message)).toEqual([]);
  },
);
