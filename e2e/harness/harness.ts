/**
 * A private host for each test file: its own network, mounts, pids and state, the real registry on its loopback, a
 * world outside to be reached from, and the built product to run. Nothing of it outlives the test process.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { places } from '../../scripts/base-images/places.ts';
import { registryConfig } from '../../scripts/base-images/registry.ts';
import { findLeaks, lookAround, processes } from './leaks.ts';
import { openNamespaces } from './namespaces.ts';
import { type Finished, type Live, must, type RunOptions, run, start } from './process.ts';

export const repository = dirname(dirname(import.meta.dirname));
const product = join(repository, 'bin/stack');

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** Errno name, or a message, where there was no answer. */
  error?: string;
}

export interface RequestOptions {
  from?: 'host' | 'outside';
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  timeoutMs?: number;
}

/** A folder with a stack file, and the product run in it. */
export interface Project {
  name: string;
  folder: string;
  /** Writes a file into the folder and gives its path. */
  write(file: string, text: string): string;
  /** Replaces the stack file. JSON is YAML. */
  define(file: object | string): void;
  stack(args: string[], options?: RunOptions): Promise<Finished>;
  /** As `stack`, and throws unless it exits 0. Gives stdout. */
  ok(args: string[], options?: RunOptions): Promise<string>;
  start(args: string[], options?: RunOptions): Live;
}

export interface PrivateHost {
  /** Everything of the host that is on disk lies here. */
  folder: string;
  root: string;
  run: string;
  cgroupParent: string;
  env: Record<string, string>;
  project(name: string, file?: object | string): Project;
  stack(args: string[], options?: RunOptions): Promise<Finished>;
  start(args: string[], options?: RunOptions): Live;
  sh(script: string, options?: RunOptions & { from?: 'host' | 'outside' }): Promise<Finished>;
  /** As `sh`, and throws unless it exits 0. Gives stdout without the last newline. */
  read(script: string, options?: RunOptions & { from?: 'host' | 'outside' }): Promise<string>;
  /** Starts a helper of a test, resolves when its output has the pattern. It counts as the harness's own. */
  background(command: string[], ready: RegExp): Promise<{ stop(): Promise<void> }>;
  request(url: string, options?: RequestOptions): Promise<Answer>;
  /** Asks until the answer has this status: for a server whose readiness nothing announces. */
  answered(url: string, options?: RequestOptions & { status?: number }): Promise<string>;
  /** Every process in the host that is not the harness's own: `pid command`. */
  processes(): string[];
  leaks(options?: { volumes?: boolean }): Promise<string[]>;
  close(): Promise<void>;
}

/** Lets a condition of the outer world come true, where the world offers no event for it. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(50);
  }
}

export async function privateHost(): Promise<PrivateHost> {
  const folder = mkdtempSync('/var/tmp/stack-e2e-');
  const at = {
    root: join(folder, 'root'),
    run: join(folder, 'run'),
    temporary: join(folder, 'tmp'),
    cgroupParent: folder.slice('/var/tmp/'.length),
  };
  mkdirSync(at.temporary);
  const resolvConf = join(folder, 'resolv.conf');
  writeFileSync(resolvConf, 'nameserver 192.0.2.2\n');
  const settings = join(folder, 'settings.yaml');
  const mirror = { mirrors: ['http://127.0.0.1:5000'], insecure: true };
  writeFileSync(settings, JSON.stringify({ registries: { 'docker.io': mirror }, cgroupParent: at.cgroupParent }));
  const env = {
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    STACK_ROOT: at.root,
    STACK_RUN: at.run,
    STACK_SETTINGS: settings,
    TMPDIR: at.temporary,
    NO_COLOR: '1',
  };
  const namespaces = await openNamespaces(resolvConf);
  const { inside, outside } = namespaces;

  const registryFile = join(folder, 'registry.json');
  writeFileSync(registryFile, registryConfig(places(), 5000, true));
  const registry = start(inside, [places().registryBinary, 'serve', registryFile], { timeoutMs: 2 ** 31 - 1 });
  const request = async (url: string, { from, ...options }: RequestOptions = {}): Promise<Answer> => {
    const words = [process.execPath, join(import.meta.dirname, 'request.mjs'), url, JSON.stringify(options)];
    return JSON.parse(await must(from === 'outside' ? outside : inside, words)) as Answer;
  };
  await until('the registry answers', async () => (await request('http://127.0.0.1:5000/v2/')).status === 200);
  const own = namespaces.own();
  own.push(registry.pid()!);
  namespaces.own = () => own;
  const before = await lookAround(namespaces);

  const withEnv = (options: RunOptions = {}): RunOptions => ({ ...options, env: { ...env, ...options.env } });
  const host: PrivateHost = {
    folder,
    ...at,
    env,
    project(name, file) {
      const home = join(folder, 'projects', name);
      mkdirSync(home, { recursive: true });
      const project: Project = {
        name,
        folder: home,
        write(path, text) {
          mkdirSync(dirname(join(home, path)), { recursive: true });
          writeFileSync(join(home, path), text);
          return join(home, path);
        },
        define: (definition) =>
          void project.write(
            'compose.yaml',
            typeof definition === 'string' ? definition : JSON.stringify(definition, null, 2),
          ),
        stack: (args, options) => host.stack(args, { cwd: home, ...options }),
        async ok(args, options) {
          const done = await project.stack(args, options);
          if (done.code === 0) return done.stdout;
          throw new Error(`stack ${args.join(' ')}: exit ${done.code ?? done.signal}\n${done.stdout}\n${done.stderr}`);
        },
        start: (args, options) => host.start(args, { cwd: home, ...options }),
      };
      if (file !== undefined) project.define(file);
      return project;
    },
    stack: (args, options) => run(inside, [product, ...args], withEnv(options)),
    start: (args, options) => start(inside, [product, ...args], withEnv(options)),
    sh: (script, { from, ...options } = {}) =>
      run(from === 'outside' ? outside : inside, ['bash', '-c', script], withEnv(options)),
    async read(script, { from, ...options } = {}) {
      const entry = from === 'outside' ? outside : inside;
      return (await must(entry, ['bash', '-c', script], withEnv(options))).replace(/\n$/, '');
    },
    async background(command, ready) {
      const live = start(inside, command, { timeoutMs: 2 ** 31 - 1 });
      await live.output(ready);
      own.push(live.pid()!);
      return {
        async stop() {
          live.kill('SIGTERM');
          await live.exited;
        },
      };
    },
    request,
    async answered(url, { status = 200, ...options } = {}) {
      let last: Answer = {};
      return until(`${url} answers ${status}`, async () => {
        last = await request(url, options);
        return last.status === status && { body: last.body ?? '' };
      }).then(
        ({ body }) => body,
        (error: Error) => {
          throw new Error(`${error.message}; last answer ${JSON.stringify(last)}`);
        },
      );
    },
    processes: () => processes(namespaces),
    leaks: ({ volumes = true } = {}) => findLeaks(namespaces, at, before, { volumes }),
    async close() {
      await namespaces.close();
      await until('the files of the host can be removed', () => {
        try {
          rmSync(folder, { recursive: true, force: true });
          return true;
        } catch {
          return false;
        }
      });
      removeCgroups(at.cgroupParent);
    },
  };
  return host;
}

/** Empty by now: a cgroup goes when its directory is removed, deepest first. */
function removeCgroups(parent: string): void {
  for (const hierarchy of ['', ...readdirSync('/sys/fs/cgroup')]) {
    const top = join('/sys/fs/cgroup', hierarchy, parent);
    if (!existsSync(top)) continue;
    const below = readdirSync(top, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));
    for (const path of [top, ...below].sort((a, b) => b.length - a.length)) rmdirSync(path);
  }
}
