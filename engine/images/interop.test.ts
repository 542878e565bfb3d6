import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { makeWorld } from './fixtures/world.ts';
import { createImages } from './images.ts';

const kernel = loadKernel();
const isThere = (tool: string) => (process.env.PATH ?? '').split(':').some((dir) => fs.existsSync(join(dir, tool)));
const missing = ['docker-registry', 'skopeo', 'umoci', 'setcap'].filter((tool) => !isThere(tool));
if (missing.length > 0) console.log(`skipped: interop test of images, not found: ${missing.join(', ')}`);

/** Debian's docker-registry on a loopback port of its own. */
async function startRegistry(dir: string): Promise<{ host: string } & AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const config = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(dir, 'registry') } },
    http: { addr: `127.0.0.1:${port}` },
  };
  fs.writeFileSync(join(dir, 'registry.yml'), JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', join(dir, 'registry.yml')], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const deadline = Date.now() + 10_000;
  while (!(await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined))?.ok) {
    if (Date.now() > deadline) throw new Error('docker-registry does not answer');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}

/** One line a file: type, mode, owner, size or target, time, capability. */
function describeTree(root: string): string[] {
  const format = '%P %y %m %U:%G %l %T@\n';
  const found = execFileSync('find', [root, '-printf', format], { encoding: 'utf8' });
  // umoci writes whole seconds.
  const lines = found
    .replace(/\.[0-9]+$/gm, '')
    .split('\n')
    .sort();
  const capabilities = execFileSync('getcap', ['-r', root], { encoding: 'utf8' })
    .replaceAll(root, '')
    .split('\n')
    .sort();
  return [...lines, ...capabilities];
}

test.runIf(process.getuid?.() === 0 && missing.length === 0)(
  'what umoci makes, skopeo pushes and docker-registry serves comes out the same; both read our store as it lies',
  async () => {
    using world = makeWorld(kernel);
    await using registry = await startRegistry(world.dir);
    const run = (command: string, ...args: string[]) =>
      execFileSync(command, args, { cwd: world.dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const source = join(world.dir, 'source');
    fs.mkdirSync(join(source, 'bin'), { recursive: true });
    fs.writeFileSync(join(source, 'bin/tool'), 'tool');
    run('setcap', 'cap_net_raw+ep', join(source, 'bin/tool'));
    fs.writeFileSync(join(source, 'set'), 's');
    fs.chownSync(join(source, 'set'), 3, 4);
    fs.chmodSync(join(source, 'set'), 0o4755);
    fs.linkSync(join(source, 'set'), join(source, 'hard'));
    fs.symlinkSync('bin/tool', join(source, 'soft'));
    fs.mkdirSync(join(source, 'sticky'));
    fs.chmodSync(join(source, 'sticky'), 0o1777);
    run('mkfifo', join(source, 'pipe'));
    run('mknod', join(source, 'zero'), 'c', '1', '5');
    fs.writeFileSync(join(source, 'ümlaut'), 'u');
    // umoci rounds to whole seconds.
    run('find', source, '-exec', 'touch', '-h', '-d', '@1700000000', '{}', '+');
    fs.utimesSync(join(source, 'bin'), 5, 5);

    run('umoci', 'init', '--layout', 'oci');
    run('umoci', 'new', '--image', 'oci:app');
    run('umoci', 'insert', '--image', 'oci:app', source, '/top');
    run('umoci', 'insert', '--image', 'oci:app', '--whiteout', '/top/soft');
    run('umoci', 'config', '--image', 'oci:app', '--config.cmd', '/top/bin/tool');
    run('skopeo', 'copy', '-q', '--dest-tls-verify=false', 'oci:oci:app', `docker://${registry.host}/team/app:1`);

    const images = createImages(world.host);
    const name = `${registry.host}/team/app:1`;
    const stored = await images.pull(name);
    expect(stored.config.config?.Cmd).toEqual(['/top/bin/tool']);
    expect(describeTree(join(stored.layers.at(-1)!, 'top'))).toEqual(describeTree(source));
    expect(fs.lstatSync(join(stored.layers.at(-1)!, 'top/hard')).nlink).toBe(2);
    expect(fs.lstatSync(join(stored.layers[0]!, 'top/soft'))).toMatchObject({ rdev: 0, mode: 0o20000 });

    const seen = JSON.parse(run('skopeo', 'inspect', `oci:${world.host.layout.images}:${name}`));
    expect(seen.Digest).toBe(stored.manifestDigest);
    run('umoci', 'unpack', '--image', `${world.host.layout.images}:${name}`, 'bundle');
    const unpacked = describeTree(join(world.dir, 'bundle/rootfs/top')).filter((line) => !line.startsWith(' d'));
    const expected = describeTree(source).filter((line) => !line.startsWith('soft') && !line.startsWith(' d'));
    expect(unpacked).toEqual(expected);

    // And back: an archive that skopeo makes of our store is loaded to the same image.
    run('skopeo', 'copy', '-q', `oci:${world.host.layout.images}:${name}`, 'docker-archive:app.tar:app:again');
    const [again] = await images.load(join(world.dir, 'app.tar'));
    expect(again).toMatchObject({ id: stored.id, layers: stored.layers, names: ['docker.io/library/app:again'] });
  },
  60_000,
);
