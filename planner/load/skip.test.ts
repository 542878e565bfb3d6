/** The phases that `stack config` can leave out, each alone. */
import { expect, test } from 'vitest';
import { canonical } from './canonical.ts';
import { loaded, loadFiles, messages } from './fixture.ts';
import type { Skip } from './load.ts';

const files = {
  '.env': 'PORT=80\n',
  'web.env': 'FROM=file\n',
  'compose.yaml': `services:
  web:
    image: "x:\${TAG:-1}"
    command: echo \${WORDS:-a b}
    build: ./web
    ports: ["\${PORT}:80", "\${RANGE:-1-2}:\${RANGE:-1-2}"]
    scale: \${SCALE:-2}
    env_file: web.env
    environment: {A: "$$x", B: null}
    volumes: ["./data:/data", "\${VOLUME:-v}:/v"]
volumes: {v: , unused: }
`,
};
const shown = (skip: Skip, from: Record<string, string> = files) => {
  const { project } = loaded(loadFiles(from, { skip, environment: { B: 'b' } }));
  return canonical(project, skip.interpolation) as { services: { web: Record<string, unknown> } } & Record<
    string,
    unknown
  >;
};

test('without interpolation every variable stays, whatever type its place has', () => {
  const { services, networks, volumes } = shown({ interpolation: true });
  expect(services.web).toMatchObject({
    image: 'x:${TAG:-1}',
    command: 'echo ${WORDS:-a b}',
    ports: ['${PORT}:80', '${RANGE:-1-2}:${RANGE:-1-2}'],
    scale: '${SCALE:-2}',
    env_file: [{ path: '/p/web.env', required: true }],
    environment: { A: '$$x', B: null },
  });
  expect(networks).toMatchObject({ default: { name: 'p_default' } });
  expect(volumes).toMatchObject({ v: {}, unused: {} });
});

test('without normalisation nothing is added that the file does not say', () => {
  const { services, ...rest } = shown({ normalisation: true });
  expect(services.web).not.toHaveProperty('networks');
  expect(services.web.build).toEqual({ context: '/p/web' });
  expect(rest).toEqual({ name: 'p', volumes: { v: {} } });
});

test('without path resolution paths stay as written, and env files are read all the same', () => {
  const { web } = shown({ paths: true }).services;
  expect(web.build).toMatchObject({ context: './web' });
  expect((web.volumes as object[])[0]).toMatchObject({ source: './data' });
  expect(web.environment).toEqual({ A: '$$x', B: 'b', FROM: 'file' });
});

test('without environment files these are named, not read', () => {
  const { web } = shown({ environment: true }).services;
  expect(web).toMatchObject({ environment: { A: '$$x', B: null }, env_file: [{ path: '/p/web.env', required: true }] });
  const both = shown({ environment: true, paths: true }).services.web;
  expect(both.env_file).toEqual([{ path: 'web.env', required: true }]);
});

test('without consistency references to nothing are let through', () => {
  const text = 'services: {web: {image: x, depends_on: [db], networks: [n]}}\n';
  expect(messages(loadFiles({ 'compose.yaml': text }))).toHaveLength(2);
  expect(shown({ consistency: true }, { 'compose.yaml': text }).services.web).toMatchObject({ networks: { n: null } });
});

test('without interpolation what is wrong for another reason is still told', () => {
  const text = 'services: {web: {image: "$X", ports: ["a:b"], nonsense: 1, tty: "${T}"}}\n';
  const found = messages(loadFiles({ 'compose.yaml': text }, { skip: { interpolation: true } }));
  expect(found).toHaveLength(2);
});

test('a mapping cannot be a variable', () => {
  const text = 'services: {web: {image: x, deploy: "${D}"}, db: "${DB}"}\n';
  const found = messages(loadFiles({ 'compose.yaml': text }, { skip: { interpolation: true } }));
  expect(found).toHaveLength(2);
});
