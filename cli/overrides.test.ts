import { expect, test } from 'vitest';
import type { Project } from '../schemas/project.ts';
import { type Overrides, overridden } from './overrides.ts';

const project: Project = {
  name: 'demo',
  services: {
    web: {
      image: 'nginx',
      command: ['serve'],
      entrypoint: ['/entry'],
      environment: { A: '1', B: '2' },
      container_name: 'fixed',
      restart: 'always',
      ports: [{ target: 80, published: '8080', protocol: 'tcp', mode: 'ingress' }],
      volumes: [
        { type: 'volume', source: 'data', target: '/data' },
        { type: 'bind', source: '/srv', target: '/srv' },
      ],
    },
  },
  networks: {},
  volumes: { data: { name: 'demo_data' } },
};

const none: Overrides = {
  args: [],
  environment: [],
  volumes: [],
  publish: [],
  labels: [],
  withServicePorts: false,
  isTty: false,
  isInteractive: true,
  envFiles: [],
  capAdd: [],
  capDrop: [],
  useAliases: false,
};
const change = (overrides: Partial<Overrides>) => overridden(project, 'web', '/srv', { ...none, ...overrides });

test('without flags: no restart, no ports, no fixed name', () => {
  const config = change({});
  expect(config).toMatchObject({ command: ['serve'], entrypoint: ['/entry'], restart: 'no', ports: [], tty: false });
  expect(config).not.toHaveProperty('container_name');
  expect(project.services.web).toHaveProperty('container_name');
});

test('arguments replace the command, an entrypoint replaces both', () => {
  expect(change({ args: ['npm', 'test'] })).toMatchObject({ command: ['npm', 'test'], entrypoint: ['/entry'] });
  expect(change({ entrypoint: 'sh -c "a b"' })).toMatchObject({ command: [], entrypoint: ['sh', '-c', 'a b'] });
});

test('values are taken as they are, dollars too', () => {
  expect(change({ environment: ['A=$x', 'C='] }).environment).toEqual({ A: '$x', B: '2', C: '' });
});

test('mounts and ports are read as in a stack file; a mount replaces the one at its target', () => {
  const config = change({
    volumes: ['data:/srv:ro', './here:/here'],
    publish: ['9000:90/udp'],
    withServicePorts: true,
  });
  expect(config.volumes?.map(({ type, source, target, read_only }) => [type, source, target, read_only])).toEqual([
    ['volume', 'data', '/data', undefined],
    ['volume', 'data', '/srv', true],
    ['bind', '/srv/here', '/here', undefined],
  ]);
  expect(config.ports?.map(({ published, target, protocol }) => [published, target, protocol])).toEqual([
    ['8080', 80, 'tcp'],
    ['9000', 90, 'udp'],
  ]);
});

test('a bad value is refused in the words of the flag', () => {
  expect(() => change({ publish: ['99999:80'] })).toThrow(/Command line: .*port/);
  expect(() => change({ entrypoint: 'sh "' })).toThrow(/quote/);
});
