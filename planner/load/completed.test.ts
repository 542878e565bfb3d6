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

test('a link’s alias is a name of the other service on the networks they share', () => {
  const { services } = project(
    'services:\n  a: {image: x, links: [b, "b:db"], networks: [n, m]}\n  b: {image: x, networks: {n: {aliases: [own]}, o: }}\nnetworks: {n: , m: , o: }\n',
  );
  expect(services.b!.networks).toEqual({ n: { aliases: ['own', 'db'] }, o: null });
});

test('one name for two services is refused', () => {
  const text =
    'services:\n  a: {image: x, links: ["b:db"]}\n  b: {image: x}\n  c: {image: x, links: ["d:db"]}\n  d: {image: x}\n';
  expect(() => project(text)).toThrow(/services\.c\.links: "d:db": db already stands for b/);
  expect(() => project('services:\n  a: {image: x, links: ["b:a"]}\n  b: {image: x}\n')).toThrow(
    /a already stands for a/,
  );
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
