import { expect, test } from 'vitest';
import { stepResolvConf } from './resolv-conf.ts';

const of = (etc: string, resolved = '', isHostNetwork = false) =>
  stepResolvConf(isHostNetwork, (path) => (path === '/etc/resolv.conf' ? etc : resolved));

test('servers that others reach, with domains and options', () => {
  expect(of('nameserver 192.0.2.2\nnameserver 127.0.0.1\nsearch example.com\noptions ndots:2\n')).toBe(
    'nameserver 192.0.2.2\nsearch example.com\noptions ndots:2\n',
  );
});

test('behind the stub of systemd-resolved are those it asks', () => {
  expect(of('nameserver 127.0.0.53\n', 'nameserver 192.0.2.7\n')).toBe('nameserver 192.0.2.7\n');
});

test('where only the host itself answers, public ones', () => {
  expect(of('nameserver ::1\n')).toBe('nameserver 8.8.8.8\nnameserver 8.8.4.4\n');
});

test("on the host's network the file as it is", () => {
  expect(of('nameserver 127.0.0.53\n', '', true)).toBe('nameserver 127.0.0.53\n');
});
