/** What is a container's own, and what is not: another's cgroup is left alone, and nothing of a failed command stays. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freezeCgroups, hierarchies } from '../../engine/runtime/cgroup/cgroup.ts';
import { type Bundle, inBundle, program } from './bundle.ts';
import { cgroupsNamed } from './remains.ts';

const tops = () => [...hierarchies().v1, ...(hierarchies().v2 ? [hierarchies().v2!] : [])].map(({ path }) => path);

/** A cgroup in each of `places` that is not the runtime's, and a process in it. */
async function foreign(path: string, places: string[]) {
  for (const top of places) mkdirSync(top + path);
  const child: ChildProcess = spawn('sleep', ['1003'], { stdio: 'ignore' });
  await once(child, 'spawn');
  for (const top of places) writeFileSync(`${top}${path}/cgroup.procs`, String(child.pid));
  return {
    lives: () => child.exitCode === null && child.signalCode === null,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      if (child.signalCode === null) await once(child, 'exit');
      for (const top of tops()) if (existsSync(top + path)) rmdirSync(top + path);
    },
  };
}

const shares = (bundle: Bundle, path: string) =>
  bundle.write((spec) => {
    spec.linux.cgroupsPath = path;
  });

test('two containers of one cgroup: the second is refused, and the first goes on', () =>
  inBundle(async (bundle) => {
    shares(bundle, `/${bundle.id}-one`);
    await bundle.must(['run', '-d', bundle.id]);
    for (const command of [['create'], ['run', '-d']]) {
      expect(await bundle.refused([...command, `${bundle.id}-b`])).toContain('cgroup is not empty');
      await bundle.must(['delete', '--force', `${bundle.id}-b`]);
      expect((await bundle.state()).status).toBe('running');
    }
    await bundle.destroy();
  }));

test.each([
  ['every hierarchy', () => tops().filter((top) => !top.includes('cpuset'))],
  ['one hierarchy alone', () => tops().slice(-1)],
])('processes of another in %s of the cgroup live on', (_, places) =>
  inBundle(async (bundle) => {
    const path = `/${bundle.id}-foreign`;
    await using one = await foreign(path, places());
    shares(bundle, path);
    expect(await bundle.refused(['create', bundle.id])).toContain('cgroup is not empty');
    // What a runtime killed half way leaves: the state of a container that has made no cgroup yet, or none that can be read.
    mkdirSync(bundle.file(`root/${bundle.id}`), { recursive: true });
    bundle.file(`root/${bundle.id}/config.json`, bundle.read('bundle/config.json'));
    bundle.file(`root/${bundle.id}/state.json`, '{');
    await bundle.destroy();
    await sleep(50);
    expect(one.lives()).toBe(true);
  }),
);

test('a frozen cgroup is refused, and stays', () =>
  inBundle(async (bundle) => {
    const path = `/${bundle.id}-frozen`;
    for (const top of tops()) mkdirSync(top + path);
    try {
      await freezeCgroups(path, true);
      for (const own of [path, `${path}/below`]) {
        shares(bundle, own);
        expect(await bundle.refused(['create', bundle.id])).toContain('cgroup unexpectedly frozen');
      }
      expect(cgroupsNamed(`${bundle.id}-frozen`)).toHaveLength(tops().length);
    } finally {
      for (const top of tops()) rmdirSync(top + path);
    }
  }));

test.each(['cgroupfs', 'disabled'])(
  '--cgroup-manager %s: a --pid-file that cannot be written leaves nothing behind',
  (manager) =>
    inBundle(async (bundle) => {
      mkdirSync(bundle.file('taken'));
      for (const file of [bundle.file('none/pid'), bundle.file('taken')]) {
        for (const command of [['create'], ['run'], ['run', '-d']]) {
          const words = ['--cgroup-manager', manager, ...command, '--pid-file', file, bundle.id];
          expect(await bundle.refused(words)).toContain('--pid-file');
          expect(await bundle.remains()).toEqual([]);
        }
      }
    }),
);

test('what fails in the cleaning up comes behind what failed first', () =>
  inBundle(async (bundle) => {
    const config = bundle.file(`root/${bundle.id}/config.json`);
    bundle.write((spec) => {
      const script = `mount --bind /dev/null ${config}; exit 5`;
      spec.hooks = { poststart: [{ path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin:/usr/bin'] }] };
    });
    await bundle.create();
    for (const command of [['start'], ['run', '-d']]) {
      const said = (await bundle.refused([...command, bundle.id])).split('\n');
      expect(said[0]).toContain('exited with 5');
      expect(said.slice(1).join()).toMatch(/busy/i);
      await once(spawn('umount', ['-q', config]), 'exit');
      await bundle.destroy();
    }
  }));

test('until create has ended the container is creating, and cannot be started', () =>
  inBundle(async (bundle) => {
    const call = (command: string) =>
      `${program} --root ${bundle.root} ${command} ${bundle.id} >> ${bundle.file('said')} 2>&1`;
    bundle.write((spec) => {
      const script = `${call('state')}; ${call('start')}; echo code $? >> ${bundle.file('said')}`;
      spec.hooks = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin:/usr/bin'] }] };
      spec.process.args = ['sh', '-c', 'echo ran > /ran; sleep 1000'];
    });
    await bundle.create();
    expect(bundle.read('said')).toContain('"status": "creating"');
    expect(bundle.read('said')).toMatch(/is creating; only[\s\S]*code 1/);
    expect((await bundle.state()).status).toBe('created');
    expect(bundle.has('bundle/rootfs/ran')).toBe(false);
    await bundle.start();
    await bundle.destroy();
  }));
