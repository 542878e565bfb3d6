/** What is asked of a container while it is there: pause, resume, ps, list, update, events, kill; and of half a one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Bundle, inBundle, until } from './bundle.ts';
import { cgroupsNamed } from './remains.ts';

/** A limit's file of the container's cgroup, of v1 or v2. */
function limit(bundle: Bundle, ...names: string[]): string {
  const files = cgroupsNamed(bundle.id).flatMap((directory) => names.map((name) => join(directory, name)));
  const file = files.find(existsSync);
  if (!file) throw new Error(`no ${names} of ${bundle.id}`);
  return readFileSync(file, 'utf8').trim();
}

test('pause stops every process, resume lets them go on, a paused one can be deleted', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', 'while :; do echo x >> /count; sleep 0.01; done'];
    });
    await bundle.must(['run', '-d', id]);
    const size = () => (bundle.has('bundle/rootfs/count') ? bundle.read('bundle/rootfs/count').length : 0);
    const grows = (from: number) => until('it goes on', () => size() > from);
    await grows(0);
    await bundle.must(['pause', id]);
    expect((await bundle.state()).status).toBe('paused');
    const before = size();
    await sleep(100);
    expect(size()).toBe(before);
    expect(await bundle.refused(['pause', id])).toContain('is paused');
    expect(await bundle.refused(['exec', id, 'true'])).toContain('is paused');
    expect(await bundle.refused(['start', id])).toContain('is paused');
    expect(await bundle.refused(['delete', id])).toContain('is paused');
    await bundle.must(['resume', id]);
    expect((await bundle.state()).status).toBe('running');
    await grows(before);
    await bundle.must(['pause', id]);
    // A signal waits until it is let go, SIGKILL does not.
    await bundle.must(['kill', id, 'TERM']);
    expect((await bundle.state()).status).toBe('paused');
    await bundle.must(['kill', id, 'KILL']);
    await bundle.status('stopped');
    await bundle.must(['delete', id]);
    await bundle.must(['run', '-d', id]);
    await bundle.must(['pause', id]);
    await bundle.destroy();
  }));

test('one that waits for its start can be paused, and resumed, and deleted', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    await bundle.create();
    await bundle.must(['pause', id]);
    expect((await bundle.state()).status).toBe('paused');
    expect(await bundle.refused(['start', id])).toContain('is paused');
    await bundle.must(['resume', id]);
    expect((await bundle.state()).status).toBe('created');
    await bundle.must(['pause', id]);
    await bundle.destroy();
    await bundle.create();
    await bundle.must(['pause', id]);
    await bundle.must(['resume', id]);
    await bundle.start();
    expect((await bundle.state()).status).toBe('running');
    await bundle.destroy();
  }));

test('without a cgroup of its own it cannot be paused, nor what else needs one', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    await bundle.must(['--cgroup-manager', 'disabled', 'run', '-d', id]);
    for (const command of [['pause'], ['ps'], ['events', '--stats'], ['update', '--pids-limit', '50']]) {
      expect(await bundle.refused([...command, id])).toContain('has no cgroup of its own');
    }
    expect((await bundle.state()).status).toBe('running');
    await bundle.destroy();
  }));

test('a signal that is not allowed is not taken for an end', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
    });
    await bundle.must(['run', '-d', bundle.id]);
    const entry = ['setpriv', '--bounding-set=-kill', '--inh-caps=-all'];
    const said = await bundle.refused(['kill', bundle.id], { entry });
    expect(said).toContain('EPERM');
    expect(said).not.toContain('not running');
    await bundle.destroy();
  }));

test('a signal by name, by number, and to all', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    const traps = ['USR1', 'USR2', 'HUP', 'TERM'].map((name) => `trap "echo ${name} >> /got" ${name}`).join('; ');
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', `${traps}; echo on >> /got; while :; do sleep 0.01; done`];
    });
    await bundle.must(['run', '-d', id]);
    const got = (name: string) =>
      until(name, () => bundle.has('bundle/rootfs/got') && bundle.read('bundle/rootfs/got').includes(name));
    await got('on');
    for (const [signal, name] of [
      ['SIGUSR1', 'USR1'],
      ['usr2', 'USR2'],
      ['1', 'HUP'],
    ] as const) {
      await bundle.must(['kill', id, signal]);
      await got(name);
    }
    await bundle.must(['kill', id]);
    await got('TERM');
    await bundle.must(['exec', '-d', '--pid-file', bundle.file('pid'), id, 'sleep', '1001']);
    await bundle.must(['kill', '--all', id, 'KILL']);
    await bundle.status('stopped');
    await bundle.must(['delete', id]);
  }));

test('without a pid namespace: --all reaches what the first process left, delete takes it along', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'pid');
      spec.process.args = ['sh', '-c', 'sleep 1001 & echo $! > /child'];
    });
    await bundle.must(['run', '-d', bundle.id]);
    await bundle.status('stopped');
    const child = Number(bundle.read('bundle/rootfs/child'));
    expect(bundle.proc(child, 'cmdline')).toContain('1001');
    expect(await bundle.refused(['kill', bundle.id, 'KILL'])).toContain('is stopped');
    await bundle.must(['kill', '--all', bundle.id, 'KILL']);
    await until('it is gone', () => !existsSync(`/proc/${child}/exe`) || bundle.proc(child, 'cmdline') === '');
    await bundle.must(['delete', bundle.id]);
    await bundle.must(['run', '-d', bundle.id]);
    await bundle.status('stopped');
    await bundle.must(['delete', bundle.id]);
  }));

test('list, ps and state', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    expect(JSON.parse(await bundle.must(['list', '--format', 'json']))).toEqual([]);
    await bundle.create();
    await bundle.must(['create', `${id}-b`]);
    await bundle.start();
    const { pid } = await bundle.state();
    const all = JSON.parse(await bundle.must(['list', '-f', 'json'])) as { id: string; status: string; pid: number }[];
    expect(all.map((one) => [one.id, one.status])).toEqual([
      [id, 'running'],
      [`${id}-b`, 'created'],
    ]);
    expect(all[0]!.pid).toBe(pid);
    expect(await bundle.must(['list', '--quiet'])).toBe(`${id}\n${id}-b\n`);
    const table = (await bundle.must(['list'])).split('\n');
    expect(table[0]).toMatch(/^ID +PID +STATUS +BUNDLE +CREATED +OWNER/);
    expect(table[1]).toMatch(new RegExp(`^${id} +${pid} +running +${bundle.path} +\\d{4}-`));
    expect(JSON.parse(await bundle.must(['ps', '-f', 'json', id]))).toEqual([pid]);
    await bundle.destroy();
    await bundle.must(['delete', '-f', `${id}-b`]);
  }));

test('a machine that has no name for the caller', () =>
  inBundle(async (bundle) => {
    const nameless =
      'for f in /etc/passwd /etc/nsswitch.conf; do [ ! -e $f ] || mount -o bind /dev/null $f; done; exec "$0" "$@"';
    await bundle.must(['create', bundle.id], { entry: ['unshare', '-m', 'sh', '-c', nameless] });
    const all = JSON.parse(await bundle.must(['list', '--format', 'json'])) as { owner: string }[];
    expect(all.map(({ owner }) => owner)).toEqual(['0']);
    await bundle.destroy();
  }));

test('update: by flags, by a document, and only what is named', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    bundle.write((spec) => {
      spec.linux.resources = { pids: { limit: 50 }, memory: { limit: 64 << 20 } };
    });
    await bundle.create();
    const pids = () => limit(bundle, 'pids.max');
    const memory = () => limit(bundle, 'memory.limit_in_bytes', 'memory.max');
    expect([pids(), memory()]).toEqual(['50', String(64 << 20)]);
    await bundle.must(['update', '--pids-limit', '60', id]);
    expect([pids(), memory()]).toEqual(['60', String(64 << 20)]);
    await bundle.must(['update', '--memory', String(32 << 20), id]);
    expect(memory()).toBe(String(32 << 20));
    await bundle.must(['update', '-r', '-', id], { input: '{"pids":{"limit":70}}' });
    expect(pids()).toBe('70');
    await bundle.must(['update', '--resources', bundle.file('r.json', '{"pids":{"limit":-1}}'), id]);
    expect(pids()).toBe('max');
    expect(await bundle.refused(['update', '--memory', '1m', id])).toContain('--memory');
    expect(await bundle.refused(['update', '-r', '-', id], { input: '{"pids":{"limit":"x"}}' })).toContain(
      'pids.limit',
    );
    expect(pids()).toBe('max');
    if (!existsSync('/sys/fs/resctrl/schemata')) {
      const rdt = ['update', '--pids-limit', '80', '--l3-cache-schema', 'L3:0=f', id];
      expect(await bundle.refused(rdt)).toContain('resctrl');
      expect(pids()).toBe('max');
    }
    await bundle.destroy();
  }));

test('events --stats: the figures of the moment; without it, line by line until the end', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    bundle.write((spec) => {
      spec.linux.resources = { pids: { limit: 50 } };
    });
    await bundle.must(['run', '-d', id]);
    const { type, id: of, data } = JSON.parse(await bundle.must(['events', '--stats', id]));
    expect([type, of]).toEqual(['stats', id]);
    expect(data.pids).toEqual({ current: 1, limit: 50 });
    expect(data.memory.usage.usage).toBeGreaterThan(0);
    expect(data.cpu.usage.total).toBeGreaterThan(0);
    const watching = bundle.launch(['events', '--interval', '10ms', id]);
    await until('two lines', () => bundle.read('call-3.out').split('\n').length > 2);
    await bundle.must(['kill', id, 'KILL']);
    expect((await watching.ended).code).toBe(0);
    await bundle.must(['delete', id]);
  }));

test.each(['cgroupfs', 'disabled'])('--cgroup-manager %s: a container has a cgroup of its own, or none', (manager) =>
  inBundle(async (bundle) => {
    await bundle.must(['--cgroup-manager', manager, 'run', '-d', bundle.id]);
    expect(cgroupsNamed(bundle.id).length > 0).toBe(manager === 'cgroupfs');
    await bundle.destroy();
  }),
);

test.each([
  ['/e2e-path', (id: string) => `/${id}`],
  ['e2e-path', (id: string) => `/stack-runtime/${id}`],
])('cgroupsPath %s', (form, place) =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.linux.cgroupsPath = form.replace('e2e-path', `${bundle.id}-own`);
    });
    await bundle.must(['run', '-d', bundle.id]);
    const { pid } = await bundle.state();
    expect(bundle.proc(pid, 'cgroup')).toMatch(
      new RegExp(`pids:${place(`${bundle.id}-own`)}$|^0::${place(`${bundle.id}-own`)}$`, 'm'),
    );
    await bundle.destroy();
  }),
);

test('create killed at any moment leaves what delete --force takes away', { timeout: 50_000 }, () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.hooks = { createRuntime: [{ path: join(bundle.rootfs, 'bin/busybox'), args: ['sleep', '0.02'] }] };
    });
    const began = performance.now();
    await bundle.create();
    const wholeMs = performance.now() - began;
    await bundle.destroy();
    const outcomes = new Set<string>();
    for (let at = 3; at <= 22 || (at < 60 && !outcomes.has('0 true')); at++) {
      const { child, ended } = bundle.launch(['create', bundle.id]);
      await sleep((wholeMs * at) / 18);
      child.kill('SIGKILL');
      const { code } = await ended;
      const known = existsSync(bundle.root) && readdirSync(bundle.root).length > 0;
      outcomes.add(`${code} ${known}`);
      await bundle.destroy();
      expect(await bundle.remains(), `killed after ${at}/18 of ${wholeMs} ms`).toEqual([]);
    }
    // On this machine, as busy as it is: before there was anything, in the middle, and after its end: else the moments are badly chosen.
    expect([...outcomes].sort(), 'moments').toEqual(['0 true', '137 false', '137 true']);
  }),
);

test('create killed while a hook runs', () =>
  inBundle(async (bundle) => {
    for (const kind of ['createRuntime', 'createContainer'] as const) {
      bundle.write((spec) => {
        const script = `${bundle.rootfs}/bin/busybox touch ${bundle.file(kind)}; exec ${bundle.rootfs}/bin/busybox sleep 0.3`;
        spec.hooks = { [kind]: [{ path: '/bin/sh', args: ['sh', '-c', script] }] };
      });
      const { child, ended } = bundle.launch(['create', bundle.id]);
      await until('the hook runs', () => bundle.has(kind));
      child.kill('SIGKILL');
      await ended;
      expect(await bundle.refused(['create', bundle.id])).toContain('exists already');
      await bundle.destroy();
      await until('nothing is left', async () => (await bundle.remains()).length === 0);
    }
  }));

test('a damaged state is told, and forced away', () =>
  inBundle(async (bundle) => {
    await bundle.create();
    const { pid } = await bundle.state();
    bundle.file(`root/${bundle.id}/state.json`, '{');
    expect(await bundle.refused(['state', bundle.id])).toContain('is not JSON');
    const { stdout, stderr } = await bundle.call(['list', '--quiet']);
    expect([stdout, stderr]).toEqual(['', expect.stringContaining('is not JSON')]);
    await bundle.destroy();
    await until('its process has ended', () => !existsSync(`/proc/${pid}/exe`));
  }));
