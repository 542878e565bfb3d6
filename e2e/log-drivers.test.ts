/** Log drivers that send lines elsewhere, with a daemon that the test plays, and restarts. */
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { expectError, idle, list, listed, scenario, shell } from './harness/scenario.ts';

const world = scenario();

/** Writes what comes to a port into a file: one JSON string a message. */
const listener = (kind: 'udp' | 'tcp', port: number, file: string): string[] => {
  const keep = `const keep=(d)=>require('fs').appendFileSync(${JSON.stringify(file)},JSON.stringify(d.toString('latin1'))+'\\n');`;
  const ready = "()=>console.log('ready')";
  const listen =
    kind === 'udp'
      ? `const s=require('dgram').createSocket('udp4');s.on('message',keep);s.bind(${port},'127.0.0.1',${ready})`
      : `require('net').createServer((c)=>c.on('data',keep)).listen(${port},'127.0.0.1',${ready})`;
  return [process.execPath, '-e', keep + listen];
};

test('syslog gets every line with priority and tag, over UDP and TCP, and `logs` shows them too', async () => {
  const seen = `${world.host.folder}/seen`;
  const udp = await world.host.background(listener('udp', 5514, `${seen}-udp`), /ready/);
  const tcp = await world.host.background(listener('tcp', 5515, `${seen}-tcp`), /ready/);
  try {
    const logging = (address: string, more: object = {}) => ({
      driver: 'syslog',
      options: { 'syslog-address': address, tag: 'web/{{.Name}}', 'syslog-facility': 'local0', ...more },
    });
    const stack = world.project('syslog', {
      services: {
        udp: shell('echo out; echo err >&2; printf "no newline"', { logging: logging('udp://127.0.0.1:5514') }),
        tcp: shell('for i in 1 2 3; do echo line $i; done', {
          logging: logging('tcp://127.0.0.1:5515', { 'syslog-format': 'rfc5424micro' }),
        }),
      },
    });
    await stack.ok(['up', '-d']);
    const date = '[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d';
    const got = await until('all came', async () => {
      const text = await world.host.read(`cat ${seen}-udp; true`);
      return text.split('\n').length >= 3 && text;
    });
    expect(got).toMatch(new RegExp(`"<134>${date} \\S+ web/syslog-udp-1: out\\\\n"`));
    expect(got).toMatch(new RegExp(`"<131>${date} \\S+ web/syslog-udp-1: err\\\\n"`));
    expect(got).toContain('web/syslog-udp-1: no newline\\n');
    const stream = await until('the stream came', async () => {
      const text = await world.host.read(`cat ${seen}-tcp; true`);
      return text.includes('line 3') && text;
    });
    expect(stream).toMatch(
      /<134>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ web\/syslog-tcp-1 - web\/syslog-tcp-1 - line 1\\n/,
    );
    expect(await stack.ok(['logs', '--no-log-prefix', 'tcp'])).toBe('line 1\nline 2\nline 3\n');
  } finally {
    await udp.stop();
    await tcp.stop();
  }
});

test('a daemon that takes nothing holds up nobody', async () => {
  const script = `require('net').createServer((c)=>c.pause()).listen(5516,'127.0.0.1',()=>console.log('ready'))`;
  const deaf = await world.host.background([process.execPath, '-e', script], /ready/);
  try {
    const logging = { driver: 'syslog', options: { 'syslog-address': 'tcp://127.0.0.1:5516' } };
    const lines = 'yes "$(head -c 200 /dev/zero | tr "\\0" x)" | head -n 100000; echo last';
    const stack = world.project('deaf', { services: { one: shell(lines, { logging }) } });
    await stack.ok(['up', '-d']);
    await until('it ended', async () => (await listed(stack, 'one')).State === 'exited', 30_000);
    expect(await stack.ok(['logs', '--no-log-prefix', '--tail', '1', 'one'])).toBe('last\n');
  } finally {
    await deaf.stop();
  }
});

test('journald gets fields of the container, labels and variables among them', async () => {
  const journal = '/run/systemd/journal';
  // Over the machine's own, in this host alone.
  await world.host.read(`mkdir -p ${journal} && mount -t tmpfs journal ${journal}`);
  const file = `${world.host.folder}/journal`;
  const script = `$| = 1; use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "${journal}/socket") or die; print "ready\n"; while (defined $s->recv(my $m, 65536)) { open(my $f, ">>", "${file}"); print $f $m, "--\n"; close $f }`;
  const daemon = await world.host.background(['perl', '-e', script], /ready/);
  try {
    const stack = world.project('journal', {
      services: {
        one: shell('echo out; echo err >&2', {
          labels: { 'com.example.team': 'red\nblue', other: 'x' },
          environment: { BUILD: '7' },
          logging: { driver: 'journald', options: { tag: 'mine', labels: 'com.example.team', 'env-regex': '^BU' } },
        }),
      },
    });
    await stack.ok(['up', '-d']);
    const text = await until('both came', async () => {
      const { stdout } = await world.host.sh(`cat ${file}`);
      return stdout.split('--\n').length === 3 && stdout;
    });
    const [out, err] = ['out', 'err'].map(
      (word) => text.split('--\n').find((one) => one.includes(`MESSAGE=${word}\n`))!,
    );
    expect(out).toMatch(/^PRIORITY=6\nSYSLOG_IDENTIFIER=mine\nCONTAINER_TAG=mine\nCONTAINER_ID=[0-9a-f]{12}\n/);
    expect(out).toContain('CONTAINER_NAME=journal-one-1\n');
    expect(out).toContain('COM_EXAMPLE_TEAM\n\x08\0\0\0\0\0\0\0red\nblue\n');
    expect(out).toContain('BUILD=7\n');
    expect(out).not.toContain('OTHER');
    expect(err).toMatch(/^PRIORITY=3\n/);
  } finally {
    await daemon.stop();
    await world.host.read(`umount ${journal}; rmdir --ignore-fail-on-non-empty ${journal}`);
  }
});

test('a log daemon that is not there is told before anything runs; `none` keeps nothing', async () => {
  const missing = world.project('nobody', { services: { one: { ...idle, logging: { driver: 'journald' } } } });
  expectError(await missing.stack(['up', '-d']), 1, /journald, and nobody is at \/run\/systemd\/journal\/socket/);
  const none = world.project('none', { services: { one: shell('echo said', { logging: { driver: 'none' } }) } });
  await none.ok(['up', '-d']);
  await until('it ended', async () => (await listed(none, 'one')).State === 'exited');
  expect(await none.ok(['logs', '--no-log-prefix', 'one'])).toBe('');
});

test('restart policies: counted failures, a window that begins anew, and what was killed stays down', async () => {
  const fail = (policy: object) => shell('echo run >> /data/runs; exit 3', { volumes: ['data:/data'], ...policy });
  const stack = world.project('policies', {
    services: {
      twice: shell('echo run; exit 3', { restart: 'on-failure:2' }),
      deploy: shell('echo run; exit 0', {
        deploy: { restart_policy: { condition: 'any', delay: '50ms', max_attempts: 3, window: '1h' } },
      }),
      zero: shell('echo run; exit 0', { restart: 'on-failure' }),
      killed: { ...idle, init: false, restart: 'always' },
      window: fail({
        deploy: { restart_policy: { condition: 'on-failure', delay: '10ms', max_attempts: 1, window: '1ms' } },
      }),
    },
    volumes: { data: {} },
  });
  await stack.ok(['up', '-d']);
  const runs = async (service: string) => (await stack.ok(['logs', '--no-log-prefix', service])).match(/run/g)?.length;
  await until('all three gave up', async () => {
    const all = (await list(stack)).filter(({ Service }) => ['twice', 'deploy', 'zero'].includes(Service));
    return all.every(({ State }) => State === 'exited');
  });
  expect([await runs('twice'), await runs('deploy'), await runs('zero')]).toEqual([3, 4, 1]);
  // Each run is longer than the window, and so none is the last.
  await until('it went on', async () => {
    const volume = `${world.host.root}/volumes/policies_data/_data/runs`;
    return Number((await world.host.sh(`wc -l < ${volume}`)).stdout) > 5;
  });
  await stack.ok(['kill', 'killed']);
  await until('it is down', async () => (await listed(stack, 'killed')).State === 'exited');
  expect((await listed(stack, 'killed')).ExitCode).toBe(137);
});
