import { expect, test } from 'vitest';
import { completed } from './completed.ts';
import { loadText } from './fixture.ts';

const project = (text: string) => completed(loadText(text).project, '/p');

test('a seccomp profile is found from the folder of the stack file', () => {
  const { services } = project(
    'services: {a: {image: x, security_opt: ["seccomp:./p.json", seccomp=/q.json, seccomp=unconfined, label=disable]}}',
  );
  expect(services.a!.security_opt).toEqual([
    ...['seccomp:/p/p.json', 'seccomp=/q.json', 'seccomp=unconfined', 'label=disable'],
  ]);
});

test('secrets and configs of the environment bring their content', () => {
  const text =
    'services: {a: {image: x, secrets: [s, f], configs: [c]}}\nsecrets: {s: {environment: E}, f: {file: f}}\nconfigs: {c: {environment: E}}\n';
  const { secrets, configs, services } = completed(loadText(text).project, '/p', { E: 'a' });
  expect(secrets).toMatchObject({ s: { content: 'a' }, f: { file: '/p/f' } });
  expect(configs).toMatchObject({ c: { content: 'a' } });
  // Neither the secret nor a fingerprint of it: plans show what is in a service.
  expect(services.a!.secrets).toEqual(loadText(text).project.services.a!.secrets);
});
