/** create, start, state, kill, delete as runtime.md says them, every refusal, and nothing left after any of it. */
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { content, inBundle, until } from './bundle.ts';
import { cgroupsNamed } from './remains.ts';

test('a life: created, running, stopped, gone', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', 'echo on; exec sleep 1000'];
    });
    await bundle.create();
    const created = await bundle.state();
    expect(created).toMatchObject({ ociVersion: '1.3.0', id: bundle.id, status: 'created', bundle: bundle.path });
    expect(created.annotations).toEqual({ 'org.example.test': bundle.id });
    expect(created.pid).toBeGreaterThan(0);
    process.kill(created.pid, 0);
    expect(cgroupsNamed(bundle.id)).not.toEqual([]);
    await bundle.start();
    expect(await bundle.state()).toEqual({ ...created, status: 'running' });
    await bundle.must(['kill', bundle.id, 'KILL']);
    await bundle.status('stopped');
    await bundle.must(['delete', bundle.id]);
    expect(await bundle.refused(['state', bundle.id])).toContain('does not exist');
    expect(bundle.read('call-1.out')).toBe('on\n'); // of the program, which has the streams of create
  }));

test('nothing of the program runs before start', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.args = ['touch', '/ran'];
    });
    await bundle.create();
    expect(() => bundle.read('bundle/rootfs/ran')).toThrow();
    await bundle.start();
    await bundle.status('stopped');
    expect(bundle.read('bundle/rootfs/ran')).toBe('');
    await bundle.must(['delete', bundle.id]);
  }));

test('what a status does not allow is refused, and changes nothing', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    await bundle.create();
    const { pid } = await bundle.state();
    expect(await bundle.refused(['delete', id])).toContain('is created');
    expect(await bundle.refused(['create', id])).toContain('exists already');
    expect(await bundle.refused(['resume', id])).toContain('is created');
    await bundle.start();
    for (const command of ['start', 'delete', 'resume']) {
      expect(await bundle.refused([command, id])).toContain('is running');
    }
    expect(await bundle.refused(['run', id])).toContain('exists already');
    expect(await bundle.refused(['kill', id, 'NONSENSE'])).toContain('no signal');
    expect(await bundle.state()).toMatchObject({ status: 'running', pid });
    await bundle.must(['kill', id, '9']);
    await bundle.status('stopped');
    for (const command of [['start'], ['kill'], ['pause'], ['update'], ['events', '--stats'], ['ps']]) {
      const [name, ...flags] = command;
      const outcome = await bundle.call([name!, ...flags, id]);
      if (name !== 'ps')
        expect([command, outcome.code, outcome.stderr]).toEqual([command, 1, expect.stringContaining('is stopped')]);
    }
    // The words that containerd and podman look for.
    expect(await bundle.refused(['kill', id])).toContain('container not running');
    expect(await bundle.refused(['exec', id, 'true'])).toContain('cannot exec in a stopped container');
    await bundle.must(['delete', id]);
  }));

test.each(['start', 'state', 'kill', 'delete', 'pause', 'resume', 'ps', 'update', 'events', 'exec'])(
  '%s of a container that is not there',
  (command) =>
    inBundle(async (bundle) => {
      const words = command === 'exec' ? [command, 'nobody', 'true'] : [command, 'nobody'];
      expect(await bundle.refused(words)).toMatch(/nobody: container does not exist/);
    }),
);

test('a forced delete of nothing is no error', () =>
  inBundle(async (bundle) => {
    await bundle.must(['delete', '--force', 'nobody']);
  }));

test.each(['../x', 'a/b', '..', '.', '', 'a b', 'ä', 'a\nb', 'x'.repeat(256)])('%j is no id', (id) =>
  inBundle(async (bundle) => {
    for (const command of ['create', 'run', 'start', 'state', 'kill', 'delete', 'delete --force']) {
      const message = await bundle.refused([...command.split(' '), '--', id]);
      expect(message).toMatch(/no id of a container/);
    }
  }),
);

test.each<[string, (config: string) => string, string]>([
  ['no JSON', () => '{', 'config.json'],
  ['a version of another major', (text) => text.replace('"1.3.0"', '"2.0.0"'), '2.0.0'],
  ['a version that is none', (text) => text.replace('"1.3.0"', '"x"'), 'ociVersion'],
  ['an unknown namespace', (text) => text.replace('"type":"uts"', '"type":"moon"'), 'moon'],
  ['a root that is not there', (text) => text.replace('"path":"rootfs"', '"path":"none"'), 'root.path'],
  ['a root that is a file', (text) => text.replace('"path":"rootfs"', '"path":"config.json"'), 'not a directory'],
  ['a hostname for the host', (text) => text.replace('{"type":"uts"},', ''), 'hostname'],
  ['a relative hook', (text) => text.replace('"hostname"', '"hooks":{"poststop":[{"path":"x"}]},"hostname"'), 'hooks'],
  ['a relative cwd', (text) => text.replace('"cwd":"/"', '"cwd":"x"'), 'cwd'],
  ['no arguments', (text) => text.replace('["sleep","1000"]', '[]'), 'args'],
  [
    'a mount of nothing',
    (text) => text.replace('"type":"proc","source":"proc"', '"type":"bind","source":"/none/x"'),
    '/none/x',
  ],
  ['an unknown file system', (text) => text.replace('"type":"proc"', '"type":"moonfs"'), 'moonfs'],
  ['an unknown mount option', (text) => text.replace('"mode=755"', '"moon=1"'), 'moon=1'],
  [
    'a namespace that is none',
    (text) => text.replace('"type":"uts"', '"type":"uts","path":"/proc/self/exe"'),
    '/proc/self/exe',
  ],
  [
    'a namespace of another type',
    (text) => text.replace('"type":"uts"', '"type":"uts","path":"/proc/self/ns/net"'),
    '/proc/self/ns/net',
  ],
])('create with %s is refused', (_, change, word) =>
  inBundle(async (bundle) => {
    writeFileSync(join(bundle.path, 'config.json'), change(bundle.read('bundle/config.json')));
    expect(await bundle.refused(['create', bundle.id])).toContain(word);
    expect(await bundle.remains()).toEqual([]);
    expect(await bundle.refused(['run', bundle.id])).toContain(word);
  }),
);

test('create without a config.json, or in a place that is none', () =>
  inBundle(async (bundle) => {
    rmSync(join(bundle.path, 'config.json'));
    expect(await bundle.refused(['create', bundle.id])).toContain('config.json does not exist');
    mkdirSync(join(bundle.path, 'config.json'));
    expect(await bundle.refused(['create', bundle.id])).toContain('not a regular file');
    expect(await bundle.refused(['create', '--bundle', '/none', bundle.id])).toContain('/none');
  }));

test('a program that is not there, or is none, is refused by create, as runc’s callers expect', () =>
  inBundle(async (bundle) => {
    for (const [args, code] of [
      [['none'], 'executable file not found in $PATH'],
      [['/etc'], 'permission denied'],
      [['/none'], 'no such file or directory'],
    ] as const) {
      bundle.write((spec) => {
        spec.process.args = [...args];
      });
      expect(await bundle.refused(['create', bundle.id])).toContain(code);
      expect(await bundle.remains()).toEqual([]);
      expect(await bundle.refused(['run', bundle.id])).toContain(code);
      expect(await bundle.remains()).toEqual([]);
    }
  }));

test('of several starts at once exactly one starts it', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', 'echo on >> /starts; exec sleep 1000'];
    });
    for (let round = 0; round < 5; round++) {
      await bundle.create();
      const starts = await Promise.all([1, 2, 3].map(() => bundle.call(['start', bundle.id])));
      expect(starts.map(({ code }) => code).sort()).toEqual([0, 1, 1]);
      for (const { code, stderr } of starts)
        if (code) expect(stderr).toMatch(/only one that is created can be started/);
      await until('it runs', () => bundle.has('bundle/rootfs/starts'));
      await bundle.destroy();
    }
  }));

test('an order that comes second is refused, also where both were on their way', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', 'echo on >> /starts; exec sleep 1000'];
    });
    await bundle.create();
    const place = bundle.file(`root/${bundle.id}/start`);
    const first = connect(place);
    await once(first, 'connect');
    const second = bundle.launch(['start', bundle.id]);
    await until('it has connected, too', () => !existsSync(place));
    first.end(Uint8Array.of(0));
    await once(first, 'close');
    const { code, stderr } = await second.ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining('only one that is created can be started')]);
    expect(await content(join(bundle.rootfs, 'starts'))).toBe('on\n');
    await bundle.destroy();
  }));

test('without a process it can be created, and not started', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      delete (spec as { process?: unknown }).process;
    });
    await bundle.create();
    expect(await bundle.refused(['start', bundle.id])).toContain('process');
    expect(await bundle.state()).toMatchObject({ status: 'created' });
    await bundle.must(['kill', bundle.id, 'KILL']);
    await bundle.status('stopped');
    await bundle.must(['delete', bundle.id]);
  }));

test('config.json is taken as it was at create', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', 'echo $WHO; exec sleep 1000'];
      spec.process.env = ['PATH=/bin', 'WHO=old'];
    });
    await bundle.create();
    bundle.write((spec) => {
      spec.process.env = ['PATH=/bin', 'WHO=new'];
      spec.annotations = { changed: 'yes' };
      spec.hooks = { poststart: [{ path: '/bin/false' }] };
    });
    await bundle.start();
    expect(await until('its output', () => bundle.read('call-1.out'))).toBe('old\n');
    expect((await bundle.state()).annotations).toEqual({ 'org.example.test': bundle.id });
    // exec begins with the process of the container.
    expect(await bundle.must(['exec', bundle.id, 'sh', '-c', 'echo $WHO'])).toBe('old\n');
    rmSync(join(bundle.path, 'config.json'));
    await bundle.destroy();
  }));

test('--bundle, --config and --pid-file', () =>
  inBundle(async (bundle) => {
    bundle.file('other.json', bundle.read('bundle/config.json').replace('"box"', '"other"'));
    const pidFile = bundle.file('pid');
    await bundle.must(
      ['create', '-b', bundle.path, '-f', bundle.file('other.json'), '--pid-file', pidFile, bundle.id],
      { cwd: '/' },
    );
    expect(Number(bundle.read('pid'))).toBe((await bundle.state()).pid);
    await bundle.start();
    expect(await bundle.must(['exec', bundle.id, 'hostname'])).toBe('other\n');
    await bundle.destroy();
  }));
