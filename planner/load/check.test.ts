/** What the whole model shows to be wrong, each with its place and that of the other thing involved. */
import { expect, test } from 'vitest';
import { formatPosition } from '../diagnose.ts';
import { loadFiles } from './fixture.ts';

const rest = `
  b: {image: y}
  c: {build: .}
secrets: {s: {file: f}}
`;

test.each<[written: string, message: string, column: number, other?: number]>([
  ['scale: -1', 'services.a.scale: a number of containers is 0 or more', 24],
  ['deploy: {replicas: -2}', 'services.a.deploy.replicas: a number of containers is 0 or more', 36],
  ['tmpfs: /t, volumes: [/t]', 'services.a.volumes.0: /t is mounted already', 38, 17],
  ['gpus: [{count: 1, device_ids: ["0"]}]', 'services.a.gpus.0: count and device_ids exclude each other', 24],
  [
    'deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 1, device_ids: ["0"]}]}}}',
    'services.a.deploy.resources.reservations.devices.0: count and device_ids exclude each other',
    63,
  ],
  ['develop: {watch: [{path: ., action: sync}]}', 'services.a.develop.watch.0: action sync needs a target', 35],
  ['develop: {watch: [{path: .}]}', 'services.a.develop.watch.0: the attribute action is missing', 35],
  ['develop: {watch: [{action: rebuild}]}', 'services.a.develop.watch.0: the attribute path is missing', 35],
  [
    'build: {dockerfile: D, dockerfile_inline: FROM x}',
    'services.a.build.dockerfile_inline: dockerfile and dockerfile_inline exclude each other',
    59,
    25,
  ],
  [
    'platform: linux/arm64, build: {platforms: [linux/amd64]}',
    'services.a.build.platforms: linux/arm64 is not built',
    59,
    17,
  ],
  ['build: {secrets: [z]}', 'services.a.build.secrets.0: secret z is not defined', 35],
  [
    'build: {additional_contexts: {q: "service:b"}}',
    'services.a.build.additional_contexts.q: service b is not built',
    50,
  ],
  ['build: {additional_contexts: {q: "service:z"}}', 'services.a.build.additional_contexts.q: no service z', 50],
  ['models: [m]', 'services.a.models.m: model m is not defined', 26],
  [
    'depends_on: {gone: {condition: service_started, required: false}}',
    'services.a.depends_on.gone: no service gone',
    30,
  ],
])('%s', (written, message, column, other) => {
  const result = loadFiles({ 'compose.yaml': `services:\n  a: {image: x, ${written}}${rest}` });
  if (result.ok) throw new Error('it loads');
  const [error, ...others] = result.errors;
  expect(others).toEqual([]);
  expect(error!.message).toBe(message);
  expect(formatPosition(error!.where!)).toMatch(/^compose.yaml:2:\d+$/);
  expect(error!.where!.column).toBe(column);
  expect(error!.other?.column).toBe(other);
});

test.each([
  ['secrets: {s: {name: q}}', 'secrets.s: nothing says what is in it'],
  ['configs: {s: {name: q}}', 'configs.s: nothing says what is in it'],
  ['configs: {s: {file: f, content: c}}', 'configs.s.content: file and content exclude each other'],
  ['volumes: {s: {external: true, driver: nfs}}', 'volumes.s.driver: an external volume is as it was made'],
  ['secrets: {s: {driver: mine}}', undefined],
  ['secrets: {s: {external: true}}', undefined],
  ['volumes: {s: {external: true, name: q, x-own: 1}}', undefined],
])('%s', (section, message) => {
  const result = loadFiles({ 'compose.yaml': `services: {a: {image: x}}\n${section}\n` });
  expect(result.ok ? undefined : result.errors[0]!.message).toBe(message);
});
