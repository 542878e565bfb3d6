/** 200 edits of every kind, at random: the container's tree is the source's, entry by entry, also across a restart and a recreate. */
import { chmodSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { random } from './harness/random.ts';
import { idle, scenario } from './harness/scenario.ts';

const world = scenario();
const seed = Number(process.env.STACK_WATCH_SEED ?? Date.now() % 1e9);

/** Path, kind, mode and content or target of everything below a directory, as busybox tells. */
const list = (directory: string) =>
  `cd ${directory} && find . -mindepth 1 | sort | while read -r f; do if [ -L "$f" ]; then echo "$f -> $(readlink "$f")"; elif [ -d "$f" ]; then echo "$f/ $(stat -c %a "$f")"; else echo "$f $(stat -c %a "$f") $(md5sum < "$f")"; fi; done`;

function editor(top: string, pick: (below: number) => number) {
  const all = () => readdirSync(top, { recursive: true, encoding: 'utf8' }).map((path) => join(top, path));
  const one = <T>(items: T[]): T | undefined => items[pick(items.length)];
  const files = () => all().filter((path) => lstatSync(path).isFile());
  const directories = () => [top, ...all().filter((path) => lstatSync(path).isDirectory())];
  let serial = 0;
  const fresh = () => join(one(directories())!, `n${serial++}`);
  const write = (path: string) => writeFileSync(path, `${serial++} `.repeat(1 + pick(2000)));
  const kinds: Record<string, () => void> = {
    content: () => write(one(files()) ?? fresh()),
    create: () => write(fresh()),
    rename: () => renameSync(one(files())!, fresh()),
    over: () => renameSync(one(files())!, one(files())!),
    atomic: () => {
      const path = one(files())!;
      write(`${path}~`);
      renameSync(`${path}~`, path);
    },
    remove: () => rmSync(one(all())!, { recursive: true }),
    mode: () => chmodSync(one([...files(), ...directories().slice(1)])!, [0o600, 0o644, 0o755, 0o700][pick(4)]!),
    directory: () => mkdirSync(fresh()),
    move: () => {
      const from = one(directories().slice(1));
      if (!from) return;
      const to = fresh();
      if (!`${to}/`.startsWith(`${from}/`)) renameSync(from, to);
    },
    link: () => symlinkSync(relative(top, one(all()) ?? top), fresh()),
    'file to directory': () => {
      const path = one(files())!;
      rmSync(path);
      mkdirSync(path);
      write(join(path, 'inside'));
    },
    'directory to file': () => {
      const path = one(directories().slice(1));
      if (!path) return;
      rmSync(path, { recursive: true });
      write(path);
    },
    'the same name again': () => {
      const path = one(directories().slice(1));
      if (!path) return;
      rmSync(path, { recursive: true });
      mkdirSync(path);
      mkdirSync(join(path, 'deep'));
      write(join(path, 'deep/file'));
    },
    branch: () => {
      for (const path of readdirSync(top)) rmSync(join(top, path), { recursive: true });
      for (let index = 0; index < 200; index++) {
        mkdirSync(join(top, `b${index % 7}`), { recursive: true });
        write(join(top, `b${index % 7}`, `${index}`));
      }
    },
  };
  const names = Object.keys(kinds);
  return (index: number) => {
    const name = files().length < 5 ? 'branch' : names[index % names.length]!;
    kinds[name]!();
    return name;
  };
}

test('200 edits', async () => {
  console.log(`STACK_WATCH_SEED=${seed}`);
  const next = random(seed);
  const pick = (below: number) => Math.floor(next() * below);
  const develop = { watch: [{ path: './src', target: '/app', action: 'sync' }] };
  const stack = world.project('edits', { services: { web: { ...idle, develop, stop_signal: 'SIGKILL' } } });
  const top = join(stack.folder, 'src');
  mkdirSync(top);
  const live = stack.start(['watch'], { timeoutMs: 115_000 });
  await live.output(/Watching \d+ directories/, 60_000);
  const edit = editor(top, pick);
  const same = async (what: string) => {
    const expected = await world.host.read(list(top));
    await until(what, async () => {
      const found = (await stack.stack(['exec', '-T', 'web', 'sh', '-c', list('/app')])).stdout.trimEnd();
      return found === expected;
    }).catch(async (error) => {
      const found = (await stack.ok(['exec', '-T', 'web', 'sh', '-c', list('/app')])).trimEnd();
      expect(found, `${error.message}\n${live.stderr()}`).toBe(expected);
    });
  };
  const edits = async (count: number, from: number) => {
    for (let index = from; index < from + count; index++) {
      edit(index);
      if (pick(3) === 0) await delay(pick(40));
    }
  };
  await edits(80, 0);
  await same('after 80 edits');
  const restarted = stack.ok(['restart']);
  await edits(30, 80);
  await restarted;
  await same('after a restart in midway');
  await edits(30, 110);
  const recreated = stack.ok(['up', '-d', '--force-recreate']);
  await edits(30, 140);
  await recreated;
  await same('after a recreate in midway');
  await edits(30, 170);
  await same('after 200 edits');
  live.kill('SIGINT');
  expect((await live.exited).code).toBe(130);
  await stack.ok(['stop']);
  await edits(20, 200);
  await stack.ok(['up', '-d', '--force-recreate']);
  await same('what was edited while nothing watched');
});
