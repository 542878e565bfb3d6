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

test('secrets of the environment bring their content, and a digest into the service that gets them', () => {
  const text =
    'services: {a: {image: x, secrets: [s, f], configs: [c]}}\nsecrets: {s: {environment: E}, f: {file: f}}\nconfigs: {c: {content: "b"}}\n';
  const of = (value: string) => completed(loadText(text).project, '/p', { E: value });
  expect(of('a').secrets).toMatchObject({ s: { content: 'a' }, f: { file: '/p/f' } });
  const [first, second] = [of('a').services.a!, of('b').services.a!];
  expect(first.secrets![0]!.digest).toMatch(/^[0-9a-f]{12}$/);
  expect(first.secrets![1]!.digest).toBeUndefined();
  expect(second.secrets![0]!.digest).not.toBe(first.secrets![0]!.digest);
  expect(second.configs).toEqual(first.configs);
});
