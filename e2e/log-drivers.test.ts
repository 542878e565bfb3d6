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
