/** The machine changes behind the product's back: the plan says what is amiss, and `up` and `down` put it right. */
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { until } from './harness/harness.ts';
import { expectError, idle, list, listed, scenario } from './harness/scenario.ts';

const world = scenario();

const file = {
  services: {
    db: { ...idle, networks: { default: { aliases: ['database'] } }, volumes: ['/var/lib/db'] },
    side: { ...idle, network_mode: 'service:db' },
    web: { ...idle, depends_on: ['db'], ports: ['8080:80'] },
  },
};

async function running(stack: Project, ...but: string[]): Promise<string[]> {
  const all = await list(stack);
  return all
    .filter(({ State, Service }) => State === 'running' && !but.includes(Service))
    .map(({ Service }) => Service);
}

/** After `up` nothing is left to do, everything runs and finds its neighbours. */
async function expectWhole(stack: Project): Promise<void> {
  const plan = await stack.stack(['plan']);
  expect([plan.code, plan.stdout.trim()]).toEqual([0, 'No changes.']);
  expect(await running(stack)).toEqual(['db', 'side', 'web']);
  const answer = await stack.ok(['exec', '-T', 'web', 'ping', '-c', '1', '-W', '2', 'database']);
  expect(answer).toContain('1 packets received');
}

const bridge = () => world.host.read(`ip -o link show type bridge | sed 's/^[0-9]*: //; s/:.*//' | grep ^st-`);

/** Pids of the monitor and the first process of a container. */
async function processesOf(stack: Project, service: string): Promise<string[]> {
  const { ID } = await listed(stack, service);
  const status = await world.host.read(`cat ${world.host.run}/containers/${ID}*/status`);
  return ['shim', 'pid'].map((key) => new RegExp(`^${key} (\\d+)$`, 'm').exec(status)![1]!);
}

test('a bridge that was removed comes back, and its containers with what they wrote', async () => {
  const stack = world.project('bridgeless', file);
  await stack.ok(['up', '-d']);
  await stack.ok(['exec', '-T', 'db', 'sh', '-c', 'echo kept > /written']);
  const name = await bridge();
  await world.host.read(`ip link del ${name}`);
  const plan = await stack.stack(['plan']);
  expect(plan.code).toBe(2);
  expect(plan.stdout).toContain(`+ create network bridgeless_default`);
  expect(plan.stdout).toContain(`its bridge ${name} is gone`);
  await stack.ok(['up', '-d', '-t', '0']);
  await expectWhole(stack);
  expect(await stack.ok(['exec', '-T', 'db', 'cat', '/written'])).toContain('kept');
});

test('a bridge that is down, or has another address, is repaired, and nobody on it is restarted', async () => {
  const stack = world.project('bridged', file);
  await stack.ok(['up', '-d']);
  const before = await list(stack);
  const name = await bridge();
  const address = await world.host.read(`ip -4 -o addr show dev ${name} | sed 's/.*inet //; s/ .*//'`);
  await world.host.read(
    `ip link set ${name} down; ip addr del ${address} dev ${name}; ip addr add 10.77.0.1/24 dev ${name}`,
  );
  const plan = await stack.stack(['plan']);
  expect(plan.code).toBe(2);
  expect(plan.stdout).toContain('~ repair network bridged_default');
  expect(plan.stdout).toContain(`its bridge ${name} is down`);
  expect(plan.stdout).toContain(`its bridge ${name} has the address 10.77.0.1/24 and not ${address}`);
  await stack.ok(['up', '-d']);
  await expectWhole(stack);
  const after = await list(stack);
  expect(after.map(({ ID }) => ID)).toEqual(before.map(({ ID }) => ID));
  expect(await world.host.read(`ip -4 -o addr show dev ${name}`)).toContain(address);
});

test('rules that somebody removed are written again: a published port answers, and nobody is restarted', async () => {
  const stack = world.project('ruleless', {
    services: { web: { image: 'nginx:1', ports: ['8090:80'] }, side: idle },
  });
  await stack.ok(['up', '-d']);
  const before = await list(stack);
  await world.host.answered('http://192.0.2.1:8090/', { from: 'outside' });
  await world.host.read('nft delete table inet stack-ruleless');
  const plan = await stack.stack(['plan']);
  expect(plan.stdout).toContain('~ repair network ruleless_default  because its firewall rules are gone');
  await stack.ok(['up', '-d']);
  await world.host.answered('http://192.0.2.1:8090/', { from: 'outside' });
  expect((await stack.stack(['plan'])).code).toBe(0);
  expect((await list(stack)).map(({ ID }) => ID)).toEqual(before.map(({ ID }) => ID));
});

test('a volume whose definition changed is kept, unless --recreate-volume names it', async () => {
  const stack = world.project('redefined', {
    services: { web: { ...idle, volumes: ['data:/data', '/anonymous'] }, side: idle },
    volumes: { data: {} },
  });
  await stack.ok(['up', '-d']);
  await stack.ok(['exec', '-T', 'web', 'sh', '-c', 'echo kept > /data/file; echo kept > /anonymous/file']);
  // As if it had been made with a driver that the file does not name any more.
  const record = `${world.host.root}/volumes/redefined_data/volume.json`;
  await world.host.read(`sed -i 's/"config": {/&"driver": "other",/' ${record}`);
  const before = await list(stack);
  expectError(
    await stack.stack(['up', '-d']),
    1,
    /redefined_data holds data/,
    /driver: "other" → "local"/,
    /--recreate-volume data/,
  );
  expectError(await stack.stack(['plan']), 1, /redefined_data holds data/);
  expect((await stack.stack(['up', '-d', '--no-recreate'])).stderr).toMatch(/redefined_data keeps the definition/);
  expect(await stack.ok(['exec', '-T', 'web', 'cat', '/data/file'])).toBe('kept\n');
  const plan = await stack.stack(['plan', '--recreate-volume', 'data']);
  expect(plan.stdout).toMatch(/~ recreate volume redefined_data .*\(loses all its data\)/);
  await stack.ok(['up', '-d', '--recreate-volume', 'data', '-t', '0']);
  expect(await stack.ok(['exec', '-T', 'web', 'ls', '/data'])).toBe('');
  // The anonymous one was not named.
  expect(await stack.ok(['exec', '-T', 'web', 'cat', '/anonymous/file'])).toBe('kept\n');
  const id = (all: typeof before, service: string) => all.find(({ Service }) => Service === service)!.ID;
  expect(id(await list(stack), 'side')).toBe(id(before, 'side'));
  expect(await stack.stack(['plan', '--recreate-volume', 'data'])).toMatchObject({ code: 0 });
});

test('a volume whose folder is gone is made again and filled by the image anew', async () => {
  const page = '/usr/share/nginx/html/index.html';
  const stack = world.project('folderless', {
    services: { web: { image: 'nginx:1', volumes: ['html:/usr/share/nginx/html'] }, side: idle },
    volumes: { html: {} },
  });
  await stack.ok(['up', '-d']);
  const before = await list(stack);
  await world.host.read(`rm -rf ${world.host.root}/volumes/folderless_html/_data`);
  const plan = await stack.stack(['plan']);
  expect(plan.stdout).toMatch(/create volume folderless_html +because its folder is gone, with what it held/);
  expect(plan.stdout).toMatch(/recreate container folderless-web-1 .*because volume folderless_html was gone/);
  await stack.ok(['up', '-d', '-t', '0']);
  expect(await stack.ok(['exec', '-T', 'web', 'cat', page])).toContain('nginx is running');
  expect((await stack.stack(['plan'])).code).toBe(0);
  const id = (all: typeof before, service: string) => all.find(({ Service }) => Service === service)!.ID;
  expect(id(await list(stack), 'side')).toBe(id(before, 'side'));
});

test('labels of a network and a volume change in place', async () => {
  const labelled = (label: string) => ({
    services: { web: { ...idle, volumes: ['data:/data'] } },
    networks: { default: { labels: { label } } },
    volumes: { data: { labels: { label } } },
  });
  const stack = world.project('relabelled', labelled('a'));
  await stack.ok(['up', '-d']);
  const before = await list(stack);
  stack.define(labelled('b'));
  const plan = await stack.stack(['plan']);
  expect(plan.stdout).toMatch(
    /~ update network relabelled_default +because networks.default.labels.label: "a" → "b"\n/,
  );
  expect(plan.stdout).toMatch(/~ update volume relabelled_data +because volumes.data.labels.label: "a" → "b"\n/);
  await stack.ok(['up', '-d']);
  expect(await list(stack)).toEqual(
    before.map((one) => ({ ...one, RunningFor: expect.anything(), Status: expect.anything() })),
  );
  expect((await stack.stack(['plan'])).code).toBe(0);
  const record = JSON.parse(await world.host.read(`cat ${world.host.root}/volumes/relabelled_data/volume.json`));
  expect(record.labels).toEqual({ label: 'b' });
});

test('records of an older version, which wrote down less, make nothing anew', async () => {
  const stack = world.project('older', file);
  await stack.ok(['up', '-d']);
  const before = await list(stack);
  const edit = `
    const fs = require('fs');
    for (const path of process.argv.slice(1)) {
      const record = JSON.parse(fs.readFileSync(path));
      delete record.format;
      for (const key of ['isTty', 'hasHealthcheck', 'stopGraceMs', 'stopSignal']) delete record[key];
      for (const port of record.config.ports ?? []) { delete port.mode; delete port.protocol; }
      fs.writeFileSync(path, JSON.stringify(record));
    }`;
  await world.host.read(
    `${process.execPath} -e '${edit.replaceAll("'", `'"'"'`)}' ${world.host.root}/stacks/older/*/container.json`,
  );
  await expectWhole(stack);
  await stack.ok(['up', '-d']);
  expect((await list(stack)).map(({ ID }) => ID)).toEqual(before.map(({ ID }) => ID));
});

test('a container whose monitor was killed is started again, and who shares its network with it', async () => {
  const stack = world.project('monitorless', file);
  await stack.ok(['up', '-d']);
  const [monitor] = await processesOf(stack, 'db');
  await world.host.read(`kill -9 ${monitor}`);
  await until('db is known to be dead', async () => (await listed(stack, 'db')).State === 'dead');
  const { stdout } = await stack.stack(['plan']);
  expect(stdout).toMatch(/start container monitorless-db-1 +because its monitor is gone/);
  expect(stdout).toMatch(/restart container monitorless-side-1 +because it shares the network of db/);
  await stack.ok(['up', '-d', '-t', '0']);
  await expectWhole(stack);
});

test('after a restart of the machine everything comes back with its addresses and volumes', async () => {
  const stack = world.project('rebooted', file);
  await stack.ok(['up', '-d']);
  await stack.ok(['exec', '-T', 'db', 'sh', '-c', 'echo kept > /var/lib/db/written']);
  const before = await stack.ok(['exec', '-T', 'db', 'ip', '-4', 'addr', 'show', 'eth0']);
  const pids = (await Promise.all(['db', 'side', 'web'].map((service) => processesOf(stack, service)))).flat();
  await world.host.read(
    `kill -9 ${pids.join(' ')}; ip link del ${await bridge()}; nft flush ruleset; rm -rf ${world.host.run}
     for version in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 0 > /proc/sys/net/$version; done`,
  );
  await stack.ok(['up', '-d']);
  await expectWhole(stack);
  const address = (text: string) => /inet (\S+)/.exec(text)![1];
  expect(address(await stack.ok(['exec', '-T', 'db', 'ip', '-4', 'addr', 'show', 'eth0']))).toBe(address(before));
  expect(await stack.ok(['exec', '-T', 'db', 'cat', '/var/lib/db/written'])).toContain('kept');
});

test('with every state file gone `down` still finds and removes what is the stack’s', async () => {
  const stack = world.project('stateless', file);
  await stack.ok(['up', '-d']);
  await world.host.read(`rm -rf ${world.host.root}/stacks ${world.host.root}/networks`);
  await stack.ok(['down', '-v']);
});

test('a damaged record is named, and does not keep the stack from being taken down', async () => {
  const stack = world.project('damaged', file);
  await stack.ok(['up', '-d']);
  const { ID } = await listed(stack, 'web');
  await world.host.read(`echo '{"id":' > ${world.host.root}/stacks/damaged/${ID}*/container.json`);
  const up = await stack.stack(['up', '-d']);
  expect(up.code).toBe(1);
  expect(up.stderr).toMatch(/container\.json is not a container record/);
  expect(up.stderr).toMatch(/stack down/);
  await stack.ok(['down', '-v', '-t', '0']);
});

test('one changed field replaces one container; its address and anonymous volume go on', async () => {
  const stack = world.project('changed', file);
  await stack.ok(['up', '-d']);
  await stack.ok(['exec', '-T', 'web', 'true']);
  const before = await list(stack);
  const changed = {
    ...file,
    services: { ...file.services, web: { ...file.services.web, environment: { MODE: 'b' } } },
  };
  stack.define(changed);
  const plan = await stack.stack(['plan']);
  expect(plan.code).toBe(2);
  expect(plan.stdout.trim()).toBe(
    '~ recreate container changed-web-1  because services.web.environment.MODE: (none) → "b"' +
      '  (downtime, loses its writable layer)\nPlan: 1 to recreate.',
  );
  await stack.ok(['up', '-d', '-t', '0']);
  const after = await list(stack);
  const ids = (all: typeof before, service: string) => all.find(({ Service }) => Service === service)!.ID;
  expect(ids(after, 'db')).toBe(ids(before, 'db'));
  expect(ids(after, 'web')).not.toBe(ids(before, 'web'));
  await expectWhole(stack);
});

test('a replacement that cannot start leaves the old container running', async () => {
  const stack = world.project('backward', file);
  await stack.ok(['up', '-d']);
  stack.define({
    ...file,
    services: { ...file.services, web: { ...file.services.web, command: ['no-such-command'] } },
  });
  const up = await stack.stack(['up', '-d', '-t', '0']);
  expect(up.code).not.toBe(0);
  expect(up.stderr).toMatch(/no-such-command/);
  stack.define(file);
  await expectWhole(stack);
});

test('two commands at once: one of them makes everything, the other finds nothing to do', async () => {
  const stack = world.project('atonce', file);
  const [first, second] = await Promise.all([stack.stack(['up', '-d']), stack.stack(['up', '-d'])]);
  expect([first!.code, second!.code]).toEqual([0, 0]);
  await expectWhole(stack);
  expect(await list(stack)).toHaveLength(3);
});
