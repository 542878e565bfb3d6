/**
 * From a save to the new file in the container: `stack watch` over a tree of 10,000 files, 500 saves one by one, then a switch
 * of all files at once; what the watcher holds in memory, and what it costs while nothing changes.
 * `docker compose watch` beside it where it is found (PATH, or where STACK_BENCH_PEER_PREFIX and STACK_BENCH_PEER_FOLDER lead).
 *
 *   npm run bench:watch -- --saves 500 --files 10000 --idle 60        as root, with the product built
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { answers, run } from './command.ts';
import { peerAccess } from './contender.ts';
import { privateHost } from './host.ts';
import { busyboxLayer, imageName, writeArchive } from './image.ts';
import { median } from './table.ts';

const { values: options } = parseArgs({
  options: {
    saves: { type: 'string', default: '500' },
    files: { type: 'string', default: '10000' },
    idle: { type: 'string', default: '10' },
  },
});
const saves = Number(options.saves);
const files = Number(options.files);
const stack = join(dirname(import.meta.dirname), 'bin/stack');

const host = await privateHost();
const project = join(host.folder, 'project');
const pathOf = (index: number) => `d${index % 100}/f${index}.txt`;

/** Saves files one by one, every other one as editors do it: milliseconds until each is visible. */
async function save(source: string, root: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const path = pathOf((index * 7919) % files);
    const content = `save ${index}\n`;
    const file = join(source, path);
    await delay(20);
    const began = performance.now();
    if (index % 2) writeFileSync(file, content);
    else {
      writeFileSync(`${file}.new`, content);
      renameSync(`${file}.new`, file);
    }
    await visible(root, path, content);
    times.push(performance.now() - began);
  }
  return times;
}

const tell = (name: string, times: number[]) =>
  console.log(
    `${name}: ${times.length} saves, until visible: median ${ms(median(times))}, p95 ${ms(quantile(times, 0.95))}, most ${ms(Math.max(...times))}`,
  );

/** docker compose watch over as many files; it takes half a second for a save, and gets a tenth of them. */
async function measureDocker(): Promise<void> {
  const { prefix, folder, inside } = peerAccess(process.env, host.folder);
  const compose = (args: string[]) => [...prefix, 'docker', 'compose', '--project-directory', inside, ...args];
  if (!(await answers(compose(['version']))) || !(await answers([...prefix, 'docker', 'info']))) {
    console.error('docker compose: not measured, it does not answer');
    return;
  }
  fill(join(folder, 'src'), 'old');
  writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nCOPY src /app\nCMD ["sleep", "100000"]\n');
  const watch = [{ path: './src', target: '/app', action: 'sync' }];
  const service = { build: '.', init: true, develop: { watch } };
  writeFileSync(join(folder, 'compose.yaml'), JSON.stringify({ name: 'bench-watch', services: { web: service } }));
  try {
    await run(compose(['up', '-d', '--build']), { timeoutMs: 120_000 });
    const id = (await run(compose(['ps', '-q', 'web']))).stdout.trim();
    const pid = (await run([...prefix, 'docker', 'inspect', '-f', '{{.State.Pid}}', id])).stdout.trim();
    const [command = '', ...args] = compose(['watch', '--no-up']);
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    await delay(5000);
    tell('docker compose', await save(join(folder, 'src'), join('/proc', pid, 'root/app'), Math.ceil(saves / 10)));
    child.kill('SIGINT');
  } finally {
    await run(compose(['down', '-v', '-t', '0', '--rmi', 'local']));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All files with other contents. */
function fill(folder: string, word: string): void {
  for (let index = 0; index < 100; index++) mkdirSync(join(folder, `d${index}`), { recursive: true });
  for (let index = 0; index < files; index++) writeFileSync(join(folder, pathOf(index)), `${word} ${index}\n`);
}

async function visible(root: string, path: string, content: string): Promise<void> {
  for (const end = Date.now() + 30_000; ; await delay(1)) {
    try {
      if (readFileSync(join(root, path), 'utf8') === content) return;
    } catch {
      // Not there yet.
    }
    if (Date.now() > end) throw new Error(`${path} did not arrive`);
  }
}

async function said(child: ChildProcess, pattern: RegExp): Promise<void> {
  let text = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr!.on('data', (chunk) => {
      text += chunk;
      if (pattern.test(text)) resolve();
    });
    child.once('exit', () => reject(new Error(text)));
  });
}

/** Of a process: resident KiB, and processor time in ticks of 10 ms. */
function usage(pid: number) {
  const rss = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return { rss, ticks: Number(fields[11]) + Number(fields[12]) };
}

const ms = (value: number) => `${value.toFixed(1)} ms`;
const quantile = (numbers: number[], q: number) =>
  [...numbers].sort((a, b) => a - b)[Math.ceil(numbers.length * q) - 1]!;

try {
  const archive = join(host.folder, 'image.tar');
  await writeArchive(archive, await busyboxLayer());
  const words = (args: string[]) => [
    ...host.inside,
    'sh',
    '-c',
    'cd "$1" && shift && exec "$@"',
    'sh',
    project,
    stack,
    ...args,
  ];
  fill(join(project, 'src'), 'old');
  const service = { image: imageName, init: true, command: ['sleep', '1000000'] };
  const watch = [{ path: './src', target: '/app', action: 'sync', initial_sync: true }];
  writeFileSync(
    join(project, 'compose.yaml'),
    JSON.stringify({ name: 'bench-watch', services: { web: { ...service, develop: { watch } } } }),
  );
  await run(words(['image', 'load', '-i', archive]), { env: host.env });
  const [command = '', ...args] = words(['watch']);
  const child = spawn(command, args, { env: host.env, stdio: ['ignore', 'inherit', 'pipe'] });
  await said(child, /→ sync/);
  const root = join('/proc', containerPid(), 'root/app');
  const watcher = firstChild(child.pid!);
  tell('stack', await save(join(project, 'src'), root, saves));
  const began = performance.now();
  fill(join(project, 'src'), 'new');
  const written = performance.now() - began;
  for (let index = 0; index < files; index++) await visible(root, pathOf(index), `new ${index}\n`);
  console.log(`${files} files switched: ${ms(performance.now() - began)}, of which writing them took ${ms(written)}`);
  await delay(2000);
  const before = usage(watcher);
  await delay(Number(options.idle) * 1000);
  const after = usage(watcher);
  console.log(
    `idle for ${options.idle} s: ${(after.ticks - before.ticks) * 10} ms of processor time; ${Math.round(after.rss / 1024)} MB resident`,
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  process.kill(watcher, 'SIGINT');
  await ended;
  await run(words(['down', '-v', '-t', '0']), { env: host.env });
  await measureDocker();
} finally {
  await host.close();
}

/** Of any process of the one container, told by its cgroup. */
function containerPid(): string {
  const found = readdirSync('/proc').find((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`stack-bench-${process.pid}/bench-watch/`)
      );
    } catch {
      return false;
    }
  });
  if (!found) throw new Error('the container does not run');
  return found;
}

function firstChild(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}
