import { expect, test } from 'vitest';
import { withoutPasswords } from './redact.ts';

test.each([
  ['ADD https://u:p@host/x.git#main /x', 'ADD https://xxxxx:xxxxx@host/x.git#main /x'],
  ['https://token@host/x', 'https://xxxxx@host/x'],
  ['https://:p@host/x', 'https://xxxxx:xxxxx@host/x'],
  ['ssh://git:p@host/x and ssh://git@host/x', 'ssh://git:xxxxx@host/x and ssh://git@host/x'],
  ['git@host:x.git https://host/a@b http://host:80/x?a=b@c', 'git@host:x.git https://host/a@b http://host:80/x?a=b@c'],
  ['docker-image://name@sha256:12', 'docker-image://name@sha256:12'],
  ['oci-layout://./dir@sha256:12', 'oci-layout://./dir@sha256:12'],
])('%s', (text, shown) => expect(withoutPasswords(text)).toBe(shown));
