/** Hooks: when each kind runs, what it is told, and what its failure does. Source: runtime-spec config.md "POSIX-platform Hooks". */
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Hook, Hooks } from '../../schemas/oci-runtime.ts';
import { type Bundle, content, inBundle, type State } from './bundle.ts';

const outside = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'] as const;
const kinds = [...outside, 'startContainer'] as const;

/** A hook that runs a shell script with `$1` as a place to write to; startContainer's is in the container. */
function hook(bundle: Bundle, kind: keyof Hooks, script: string, more: Partial<Hook> = {}): Hook {
  const place = kind === 'startContainer' ? '' : bundle.rootfs;
  return { path: '/bin/sh', args: ['sh', '-c', script, 'sh', place], ...more };
}

/** What hooks wrote, in the order they ran. */
const lines = (bundle: Bundle) => bundle.read('bundle/rootfs/hooks').trimEnd().split('\n');

test('each kind at its time, in its order, with the state on its input', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      const note = (kind: keyof Hooks, number: number) =>
        hook(bundle, kind, `echo "${kind}${number} $(cat)" >> "$1/hooks"`);
      spec.hooks = Object.fromEntries(kinds.map((kind) => [kind, [note(kind, 1), note(kind, 2)]]));
      spec.process.args = ['sh', '-c', 'echo program >> /hooks; exec sleep 1000'];
    });
    await bundle.create();
    const { pid } = await bundle.state();
    appendFileSync(join(bundle.rootfs, 'hooks'), 'created\n');
    await bundle.start();
    await content(join(bundle.rootfs, 'hooks'));
    await bundle.must(['kill', bundle.id, 'KILL']);
    await bundle.status('stopped');
    appendFileSync(join(bundle.rootfs, 'hooks'), 'deleting\n');
    await bundle.must(['delete', bundle.id]);
    const all = lines(bundle);
    const names = all.map((line) => line.split(' ')[0]!);
    const two = (kind: string) => [`${kind}1`, `${kind}2`];
    // The program runs beside the poststart hooks.
    expect(names.filter((name) => name !== 'program')).toEqual([
      ...[...two('prestart'), ...two('createRuntime'), ...two('createContainer'), 'created'],
      ...[...two('startContainer'), ...two('poststart'), 'deleting', ...two('poststop')],
    ]);
    expect(names.indexOf('program')).toBeGreaterThan(names.indexOf('startContainer2'));
    const told = Object.fromEntries(
      all.flatMap((line) => {
        const at = line.indexOf(' ');
        return at < 0 ? [] : [[line.slice(0, at), JSON.parse(line.slice(at)) as State]];
      }),
    );
    const common = {
      ociVersion: '1.3.0',
      id: bundle.id,
      bundle: bundle.path,
      annotations: { 'org.example.test': bundle.id },
    };
    const status = {
      prestart: 'created',
      createRuntime: 'created',
      createContainer: 'created',
      startContainer: 'created',
    };
    for (const [kind, is] of Object.entries({ ...status, poststart: 'running', poststop: 'stopped' })) {
      expect([kind, told[`${kind}1`]]).toEqual([kind, expect.objectContaining({ ...common, status: is })]);
    }
    expect(told.prestart1!.pid).toBe(pid);
    expect(told.createRuntime2!.pid).toBe(pid);
    expect(told.poststart1!.pid).toBe(pid);
    expect(told.startContainer1!.pid).toBe(1);
  }));

test('they run in the namespaces the specification names', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      const note = (kind: keyof Hooks) =>
        hook(bundle, kind, `echo "${kind} $(hostname) $(ls / | wc -l)" >> "$1/hooks"`, { env: ['PATH=/bin:/usr/bin'] });
      spec.hooks = Object.fromEntries(kinds.map((kind) => [kind, [note(kind)]]));
      spec.process.args = ['true'];
    });
    await bundle.must(['run', bundle.id]);
    const host = readdirSync('/').filter((name) => !name.startsWith('.')).length;
    const seen = Object.fromEntries(lines(bundle).map((line) => [line.split(' ')[0], line.split(' ').slice(1)]));
    for (const kind of ['prestart', 'createRuntime', 'poststart', 'poststop']) expect(seen[kind]![0]).not.toBe('box');
    // createContainer: the container's namespaces, and still the host's root.
    expect(seen.createContainer).toEqual(['box', String(host)]);
    expect(seen.startContainer).toEqual(['box', String(readdirSync(bundle.rootfs).length)]);
  }));

test('the environment is what config.json says and no more; arguments begin with the name', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      const note = (kind: keyof Hooks) =>
        hook(bundle, kind, `env | sort | tr '\\n' , >> "$1/hooks"; echo >> "$1/hooks"; echo "$0 $2" >> "$1/hooks"`);
      spec.hooks = Object.fromEntries(
        kinds.map((kind) => {
          const one = note(kind);
          return [
            kind,
            [
              {
                ...one,
                args: [...one.args!.slice(0, 3), kind, one.args![4]!, 'two'],
                env: ['A=1', 'PATH=/bin:/usr/bin', 'B=x=y'],
              },
            ],
          ];
        }),
      );
      spec.process.args = ['true'];
    });
    await bundle.must(['run', bundle.id], { env: { ...process.env, SECRET: 'of the caller' } });
    const order = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'];
    const own = (line: string) =>
      line
        .split(',')
        .filter((entry) => entry !== '' && !/^(PWD|OLDPWD|SHLVL|_)=/.test(entry))
        .join();
    const expected = order.flatMap((kind) => ['A=1,B=x=y,PATH=/bin:/usr/bin', `${kind} two`]);
    expect(lines(bundle).map(own)).toEqual(expected);
  }));

test.each(['prestart', 'createRuntime', 'createContainer'] as const)('%s fails: nothing is created', (kind) =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      const note = (text: string) => hook(bundle, kind, `echo ${text} >> "$1/hooks"`);
      const stopped = hook(bundle, 'poststop', 'echo poststop >> "$1/hooks"');
      spec.hooks = {
        [kind]: [note('first'), hook(bundle, kind, 'echo why >&2; exit 3'), note('third')],
        poststop: [stopped],
      };
    });
    const message = await bundle.refused(['create', bundle.id]);
    expect(message).toContain('/bin/sh');
    expect(message).toMatch(/exited with 3/);
    expect(lines(bundle)).toEqual(['first', 'poststop']);
    expect(await bundle.remains()).toEqual([]);
    expect(await bundle.refused(['run', bundle.id])).toContain('exited with 3');
    expect(await bundle.refused(['state', bundle.id])).toContain('does not exist');
  }),
);

test.each(kinds.filter((kind) => kind !== 'poststop'))('a %s hook past its time is killed, with its children', (kind) =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      // In the bundle's own busybox: what is left of it is found.
      const busybox = kind === 'startContainer' ? '/bin/busybox' : join(bundle.rootfs, 'bin/busybox');
      spec.hooks = {
        [kind]: [{ path: busybox, args: ['sh', '-c', `${busybox} sleep 1000 & ${busybox} sleep 1000`], timeout: 1 }],
      };
    });
    const began = Date.now();
    const { code, stderr } = await bundle.call(['run', bundle.id]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/not done after (1 s|1000 ms)/)]);
    expect(Date.now() - began).toBeGreaterThanOrEqual(1000);
    expect(await bundle.remains()).toEqual([]);
  }),
);

test.each([
  ['is not there', { path: '/none/x' }],
  ['is no program', { path: '/etc/passwd' }],
  ['is killed', { path: '/bin/sh', args: ['sh', '-c', 'kill -9 $$'] }],
])('a hook that %s', (_, one) =>
  inBundle(async (bundle) => {
    for (const kind of ['prestart', 'createRuntime', 'createContainer'] as const) {
      bundle.write((spec) => {
        spec.hooks = { [kind]: [one] };
      });
      expect(await bundle.refused(['create', bundle.id])).toContain(one.path);
      expect(await bundle.remains()).toEqual([]);
    }
  }),
);

test('startContainer fails: start says so, the program does not run', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.hooks = { startContainer: [hook(bundle, 'startContainer', 'exit 4')] };
      spec.process.args = ['touch', '/ran'];
    });
    await bundle.create();
    expect(await bundle.refused(['start', bundle.id])).toContain('exited with 4');
    expect(() => bundle.read('bundle/rootfs/ran')).toThrow();
    await bundle.destroy();
  }));

test('poststart fails: the container is stopped and destroyed, the poststop hooks run', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.hooks = {
        poststart: [hook(bundle, 'poststart', 'exit 5')],
        poststop: [hook(bundle, 'poststop', 'echo poststop >> "$1/hooks"')],
      };
    });
    await bundle.create();
    expect(await bundle.refused(['start', bundle.id])).toContain('exited with 5');
    expect(lines(bundle)).toEqual(['poststop']);
    expect(await bundle.remains()).toEqual([]);
    expect(await bundle.refused(['run', '--detach', bundle.id])).toContain('exited with 5');
    expect(lines(bundle)).toEqual(['poststop', 'poststop']);
  }));

test('poststop fails: a warning, the others run, the container is gone', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.hooks = {
        poststop: [hook(bundle, 'poststop', 'exit 6'), hook(bundle, 'poststop', 'echo second >> "$1/hooks"')],
      };
    });
    await bundle.create();
    const { code, stderr } = await bundle.call(['delete', '--force', bundle.id]);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/level=warning.*exited with 6/)]);
    expect(lines(bundle)).toEqual(['second']);
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', 'exit 3'];
      spec.hooks = { poststop: [{ path: '/bin/false' }] };
    });
    expect((await bundle.call(['run', bundle.id])).code).toBe(3);
  }));

test('a hook need not read its state, nor close what it was given', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.annotations = { long: 'x'.repeat(300_000) };
      spec.hooks = Object.fromEntries(kinds.map((kind) => [kind, [{ path: '/bin/true' }]]));
      spec.process.args = ['true'];
    });
    await bundle.must(['run', bundle.id]);
  }));
