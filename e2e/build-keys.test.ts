/**
 * A property: a step runs exactly where some input that it depends on has a value which it has not had yet, together with its
 * others. Every input is changed alone once, then several at random; `STACK_KEYS_SEED=… STACK_KEYS_ROUNDS=…` repeats and prolongs.
 */
import { chmodSync, chownSync, existsSync, linkSync, renameSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scenario } from './harness/scenario.ts';

const world = scenario();

/** Inputs, and the stages with a step that depends on them; each is 0 or 1. */
const inputs = {
  content: ['copy'],
  mode: ['copy'],
  attribute: ['copy'],
  chmod: ['flag'],
  chown: ['flag'],
  inner: ['tree', 'bind'],
  linkTarget: ['tree', 'bind'],
  hardLink: ['tree', 'bind'],
  renamed: ['tree', 'bind'],
  ignore: ['tree', 'bind'],
  arg: ['arg'],
  env: ['env'],
  secretId: ['secret'],
  sharing: ['mount'],
  tmpfsSize: ['tmpfs'],
  readonly: ['bind'],
  base: ['base'],
  shell: ['shell'],
  user: ['user'],
  workdir: ['workdir'],
  heredoc: ['heredoc'],
  script: ['script'],
  owner: ['owned', 'taken'],
  hosts: ['arg', 'env', 'secret', 'mount', 'tmpfs', 'bind', 'base', 'shell', 'user', 'workdir', 'script', 'owned'],
  network: ['arg', 'env', 'secret', 'mount', 'tmpfs', 'bind', 'base', 'shell', 'user', 'workdir', 'script', 'owned'],
  ulimits: ['arg', 'env', 'secret', 'mount', 'tmpfs', 'bind', 'base', 'shell', 'user', 'workdir', 'script', 'owned'],
  shm: ['arg', 'env', 'secret', 'mount', 'tmpfs', 'bind', 'base', 'shell', 'user', 'workdir', 'script', 'owned'],
  // What no step depends on.
  time: [],
  contextOwner: [],
  secretValue: [],
  unused: [],
  place: [],
  label: [],
  proxy: [],
  platform: [],
  comment: [],
  ignoreNothing: [],
} as const;
type Input = keyof typeof inputs;
type State = Record<Input, 0 | 1>;
const names = Object.keys(inputs) as Input[];
const steps = [...new Set(names.flatMap((name) => inputs[name]))].sort();

const stage = (name: string, text: string, from = 'busybox:1') => `FROM ${from} AS ${name}\n${text}\n`;

const dockerfile = (at: State) =>
  [
    at.comment ? '# a comment\n' : '',
    stage('copy', 'COPY a.txt /a'),
    stage('flag', `COPY --chmod=06${at.chmod}0 --chown=${at.chown} b.txt /b`),
    stage('tree', 'COPY dir /tree'),
    stage('arg', 'ARG A=x\nRUN echo $A > /arg'),
    stage('env', `ENV E=${at.env}\nRUN echo $E > /env`),
    stage('secret', `RUN --mount=type=secret,id=id${at.secretId},target=/s wc -c < /s > /secret`),
    stage('mount', `RUN --mount=type=cache,id=here,sharing=${at.sharing ? 'locked' : 'shared'},target=/c : > /mount`),
    stage('tmpfs', `RUN --mount=type=tmpfs,size=${at.tmpfsSize + 1}m,target=/t : > /tmpfs`),
    stage('bind', `RUN --mount=type=bind${at.readonly ? ',rw' : ''},source=dir,target=/m ls /m > /bind`),
    stage('base', 'RUN : > /derived', 'mine:1'),
    stage('shell', `SHELL ["/bin/sh", "-${at.shell ? 'ec' : 'c'}"]\nRUN : > /shell`),
    stage('user', `USER ${at.user + 5}\nRUN id > /tmp/user`),
    stage('workdir', `WORKDIR /w${at.workdir}\nRUN pwd > /workdir`),
    stage('heredoc', `COPY <<END /heredoc\ntext ${at.heredoc}\nEND`),
    stage('script', `RUN <<END\necho ${at.script} > /script\nEND`),
    stage('owned', `RUN mkdir /o && echo o > /o/f && chown ${at.owner} /o/f`),
    stage('taken', 'COPY --from=owned /o /o'),
    'FROM scratch AS end\n',
    ...steps.map((name) => `COPY --from=${name} /etc /${name}\n`),
  ].join('');

/** Stages of which a step ran, but for the last. */
function ran(stderr: string): string[] {
  const begun = [...stderr.matchAll(/^#(\d+) web \[(\w+) /gm)];
  const done = begun.filter(([, number]) => new RegExp(`^#${number} DONE`, 'm').test(stderr));
  return [...new Set(done.map(([, , name]) => name!))].filter((name) => name !== 'end').sort();
}

test('a step runs where its inputs together are new, and only there', async () => {
  const seed = Number(process.env.STACK_KEYS_SEED ?? Date.now() % 100_000);
  const rounds = Number(process.env.STACK_KEYS_ROUNDS ?? 5);
  let random = seed;
  const below = (limit: number) => {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((random / 2 ** 31) * limit);
  };
  const stack = world.project('keys');
  const mine = world.project('mine', { services: { web: { image: 'mine:1', build: { context: '.' } } } });
  const secrets = { one: { environment: 'ONE' } };
  let folder = 'place0';

  /** Makes the world what `at` says; what has not changed is not touched. */
  async function make(at: State, before: State | undefined): Promise<void> {
    const isNew = (...wanted: Input[]) => !before || wanted.some((name) => at[name] !== before[name]);
    if (before && isNew('place')) {
      renameSync(join(stack.folder, folder), join(stack.folder, `place${at.place}`));
      folder = `place${at.place}`;
    }
    const file = (name: string) => join(stack.folder, folder, name);
    const write = (name: string, text: string) => stack.write(`${folder}/${name}`, text);
    if (isNew('content')) write('a.txt', `a ${at.content}`);
    if (isNew('mode')) chmodSync(file('a.txt'), at.mode ? 0o755 : 0o644);
    if (isNew('attribute'))
      await world.host.read(`python3 -c 'import os; os.setxattr("${file('a.txt')}", "user.some", b"${at.attribute}")'`);
    if (isNew('time')) utimesSync(file('a.txt'), at.time + 1, at.time + 1);
    if (isNew('contextOwner')) {
      write('b.txt', 'b');
      chownSync(file('b.txt'), at.contextOwner, at.contextOwner);
    }
    if (isNew('inner')) write('dir/f', `f ${at.inner}`);
    if (!before) for (const name of ['dir/g', 'dir/one', 'dir/two']) write(name, 'same');
    if (isNew('linkTarget')) {
      rmSync(file('dir/link'), { force: true });
      symlinkSync(at.linkTarget ? 'f' : 'g', file('dir/link'));
    }
    if (isNew('hardLink')) {
      rmSync(file('dir/two'));
      if (at.hardLink) linkSync(file('dir/one'), file('dir/two'));
      else write('dir/two', 'same');
    }
    if (isNew('renamed')) {
      for (const name of ['dir/name0', 'dir/name1']) if (existsSync(file(name))) rmSync(file(name));
      write(`dir/name${at.renamed}`, '');
    }
    if (isNew('unused')) write('unused', `${at.unused}`);
    if (isNew('ignore', 'ignoreNothing'))
      write('.dockerignore', `${at.ignore ? 'dir/g\n' : ''}${at.ignoreNothing ? 'nothing*\n' : ''}`);
    if (isNew('base')) {
      mine.write('Dockerfile', `FROM busybox:1\nRUN echo ${at.base} > /base\n`);
      await mine.ok(['build']);
    }
    write('Dockerfile', dockerfile(at));
    const build = {
      context: `./${folder}`,
      args: { A: `${at.arg}` },
      secrets: ['id0', 'id1'].map((target) => ({ source: 'one', target })),
      labels: { some: `${at.label}` },
      extra_hosts: [`some=192.0.2.${at.hosts + 9}`],
      network: at.network ? 'none' : 'default',
      ulimits: { nofile: 1000 + at.ulimits },
      shm_size: `${at.shm + 1}m`,
      ...(at.platform ? { platforms: [`linux/${process.arch === 'x64' ? 'amd64' : process.arch}`] } : {}),
    };
    stack.define({ services: { web: { build } }, secrets });
  }

  const seen = new Map(steps.map((step) => [step, new Set<string>()]));
  let before: State | undefined;
  async function round(at: State, what: string): Promise<void> {
    await make(at, before);
    before = { ...at };
    const expected = steps.filter((step) => {
      const print = names.filter((name) => (inputs[name] as readonly string[]).includes(step)).map((name) => at[name]);
      const known = seen.get(step)!;
      const isKnown = known.has(print.join());
      known.add(print.join());
      return !isKnown;
    });
    const proxy = at.proxy ? ['--build-arg', 'http_proxy=http://192.0.2.2:1'] : [];
    const done = await stack.stack(['build', ...proxy], { env: { ONE: `value ${at.secretValue}` } });
    expect(done, `seed ${seed}: ${what}\n${done.stderr}`).toMatchObject({ code: 0 });
    expect(ran(done.stderr), `seed ${seed}: ${what}`).toEqual(expected);
  }

  const at = Object.fromEntries(names.map((name) => [name, 0])) as State;
  await round(at, 'the first');
  const order = [...names].sort(() => below(3) - 1);
  for (const name of order) {
    at[name] = 1;
    await round(at, `${name}, of ${order.join()}`);
  }
  for (let number = 1; number <= rounds; number++) {
    const changed = names.filter(() => below(8) === 0);
    for (const name of changed) at[name] = at[name] ? 0 : 1;
    await round(at, `round ${number}: ${changed.join()}`);
  }
  const again = await stack.stack(['build', '--no-cache'], { env: { ONE: '' } });
  expect(ran(again.stderr), '--no-cache').toEqual(steps);
}, 240_000);
