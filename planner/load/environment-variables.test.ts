/** The variables that stand in for flags. Source: docker compose's documentation "Configure pre-defined environment variables". */
import { expect, test } from 'vitest';
import { loaded, loadFiles } from './fixture.ts';

const files = {
  '.env': 'TAG=env\nCOMPOSE_PROFILES=p\n',
  'own.env': 'TAG=own\n',
  'compose.yaml': 'services: {a: {image: "x:${TAG:-none}"}, off: {image: y, profiles: [p]}}\n',
  'other.yaml': 'services: {b: {image: "z:${TAG:-none}"}}\n',
  'third.yaml': 'services: {b: {user: u}}\n',
};
const load = (environment: Record<string, string>) => loaded(loadFiles(files, { environment })).project;
const images = (environment: Record<string, string>) =>
  Object.fromEntries(Object.entries(load(environment).services).map(([name, { image }]) => [name, image]));

test.each<[Record<string, string>, Record<string, string>]>([
  [{}, { a: 'x:env', off: 'y' }],
  [{ COMPOSE_PROFILES: '' }, { a: 'x:env' }],
  [{ COMPOSE_DISABLE_ENV_FILE: 'true' }, { a: 'x:none' }],
  [{ COMPOSE_DISABLE_ENV_FILE: '1' }, { a: 'x:none' }],
  [{ COMPOSE_DISABLE_ENV_FILE: '0' }, { a: 'x:env', off: 'y' }],
  [{ COMPOSE_ENV_FILES: 'own.env' }, { a: 'x:own' }],
  [{ COMPOSE_ENV_FILES: '.env,own.env' }, { a: 'x:own', off: 'y' }],
  [{ COMPOSE_DISABLE_ENV_FILE: '1', COMPOSE_ENV_FILES: 'own.env' }, { a: 'x:own' }],
  [{ COMPOSE_FILE: 'other.yaml' }, { b: 'z:env' }],
  [
    { COMPOSE_FILE: 'other.yaml:compose.yaml', COMPOSE_PROFILES: 'q' },
    { a: 'x:env', b: 'z:env' },
  ],
  [{ COMPOSE_FILE: 'other.yaml;third.yaml', COMPOSE_PATH_SEPARATOR: ';' }, { b: 'z:env' }],
  [{ TAG: 'process' }, { a: 'x:process', off: 'y' }],
])('%j', (environment, expected) => expect(images(environment)).toEqual(expected));

test('COMPOSE_PROJECT_NAME comes before the name of the directory', () => {
  expect(load({}).name).toBe('p');
  expect(load({ COMPOSE_PROJECT_NAME: 'q' }).name).toBe('q');
});
