/** Every command line of docker compose's that this delivery takes, as the option parser understands it. */
import { expect, test } from 'vitest';
import type { Context, Process } from './command.ts';
import { commands, laterCommands } from './commands.ts';
import { main } from './main.ts';

async function output(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const streams = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    write(text: string) {
      streams[name] += text;
    },
  });
  const refuse = async () => {
    throw new Error('reached the engine');
  };
  const process = {
    arguments: args,
    environment: {},
    stdin: {},
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    host: refuse,
    engine: refuse,
  } as unknown as Process;
  return { exitCode: await main(process), ...streams };
}

/** Flags and arguments as a command's action would get them. */
async function parse(line: string): Promise<{ flags: Record<string, unknown>; args: string[] }> {
  const words = line.split(' ');
  const entry = commands[words[0] as string];
  if (!entry) throw new Error(`no command in: ${line}`);
  const define = await entry.load();
  const command = define.build({ environment: {} } as Context, () => {});
  let args: string[] = [];
  command.action((...values: unknown[]) => {
    args = values
      .slice(0, -2)
      .flat()
      .filter((value) => typeof value === 'string');
  });
  command.exitOverride().configureOutput({ writeErr() {} });
  const { Command } = await import('commander');
  await new Command().enablePositionalOptions().addCommand(command).parseAsync(words, { from: 'user' });
  return { flags: command.opts(), args };
}

/** As parse, of a command that may be a group's member. */
async function parseMember(line: string): Promise<{ flags: Record<string, unknown>; args: string[] }> {
  const words = line.split(' ');
  const command = (await commands[words[0]!]!.load()).build({ environment: {} } as Context, () => {});
  const member = command.commands.find((each) => each.name() === words[1]) ?? command;
  let args: string[] = [];
  member.action((...values: unknown[]) => {
    args = values.slice(0, -2).flat() as string[];
  });
  await command.parseAsync(words.slice(1), { from: 'user' });
  return { flags: member.opts(), args };
}

test.each<[line: string, flags: Record<string, unknown>, args?: string[]]>([
  ['up -d', { detach: true, recreate: true, deps: true, start: true }],
  ['up --wait --wait-timeout 30 web db', { wait: true, waitTimeout: 30_000 }, ['web', 'db']],
  ['up --force-recreate --no-deps --no-start', { forceRecreate: true, deps: false, start: false }],
  ['up --no-recreate --remove-orphans -t 5', { recreate: false, removeOrphans: true, timeout: 5000 }],
  ['up --scale web=3 --scale db=1', { scale: { web: 3, db: 1 } }],
  ['up --pull always --quiet-pull', { pull: 'always', quietPull: true }],
  ['up --abort-on-container-exit --exit-code-from web', { abortOnContainerExit: true, exitCodeFrom: 'web' }],
  ['up -V --no-log-prefix --no-color', { renewAnonVolumes: true, logPrefix: false, color: false }],
  ['up --attach a --no-attach b --no-attach c', { attach: ['a'], noAttach: ['b', 'c'] }],
  [
    'up --attach-dependencies --timestamps --menu -y',
    { attachDependencies: true, timestamps: true, menu: true, yes: true },
  ],
  ['up --build --quiet-build --always-recreate-deps', { build: true, quietBuild: true, alwaysRecreateDeps: true }],
  [
    'up --no-build --frozen --recreate-volume a --recreate-volume b',
    { build: false, frozen: true, recreateVolume: ['a', 'b'] },
  ],
  ['up --plan plan.json -d', { plan: 'plan.json', detach: true }],
  ['up --pull build', { pull: 'build' }],
  ['plan -o plan.json --force-recreate -V', { output: 'plan.json', forceRecreate: true, renewAnonVolumes: true }],
  ['lock --check', { check: true }],
  ['update web db', {}, ['web', 'db']],
  ['up -f a.yaml -p demo', { file: ['a.yaml'], projectName: 'demo' }],
  ['down -v --remove-orphans -t 3', { volumes: true, removeOrphans: true, timeout: 3000 }],
  ['down -p demo', { projectName: 'demo' }],
  ['attach --sig-proxy=false --index 2 web', { sigProxy: false, index: 2 }, ['web']],
  [
    'commit -p=false -a Ann -c CMD -m x web team/web:1',
    { pause: false, author: 'Ann', change: ['CMD'] },
    ['web', 'team/web:1'],
  ],
  ['cp -a -L --index 2 web:/a -', { archive: true, followLink: true, index: 2 }, ['web:/a', '-']],
  ['create --no-recreate --no-build --scale web=2', { recreate: false, build: false, scale: { web: 2 } }],
  ['events --json --since 1h web', { json: true, since: '1h' }, ['web']],
  ['export -o web.tar web', { output: 'web.tar' }, ['web']],
  ['images -q --format json', { quiet: true, format: 'json' }],
  ['kill --remove-orphans', { removeOrphans: true }],
  ['ls -a --filter name=a', { all: true, filter: ['name=a'] }],
  ['port --protocol UDP --index 1 web 53', { protocol: 'udp', index: 1 }, ['web', '53']],
  ['pull --include-deps --policy missing -q db', { includeDeps: true, policy: 'missing', quiet: true }, ['db']],
  ['rm -fsv web', { force: true, stop: true, volumes: true }, ['web']],
  ['scale --no-deps web=2 db=0', { deps: false }, ['web=2', 'db=0']],
  ['start --wait --wait-timeout 5', { wait: true, waitTimeout: 5000 }],
  ['stats -a --no-stream --no-trunc web', { all: true, stream: false, trunc: false }, ['web']],
  ['wait --down-project a b', { downProject: true }, ['a', 'b']],
  ['ps -a -q', { all: true, quiet: true }],
  ['ps --services --status running --status exited', { services: true, status: ['running', 'exited'] }],
  ['ps --format json --filter status=running --no-trunc', { format: 'json', filter: ['status=running'], trunc: false }],
  ['logs -f -n 5 --since 10m web', { follow: true, tail: 5, since: '10m' }, ['web']],
  ['logs --tail all -t --until 1h --no-log-prefix', { tail: 'all', timestamps: true, until: '1h', logPrefix: false }],
  [
    'exec -T -e A=1 -e B -u 1000:1000 -w /srv web sh -c x',
    { tty: false, env: ['A=1', 'B'], user: '1000:1000', workdir: '/srv' },
    ['web', 'sh', '-c', 'x'],
  ],
  ['exec --no-TTY web sh', { TTY: false }],
  ['exec -it --index 2 web sh', { index: 2, interactive: true }, ['web', 'sh']],
  ['exec web ls -d --help', {}, ['web', 'ls', '-d', '--help']],
  ['exec -d web sleep 1', { detach: true }, ['web', 'sleep', '1']],
  ['run --rm -e A=1 web npm test --watch', { rm: true, env: ['A=1'] }, ['web', 'npm', 'test', '--watch']],
  [
    'run -p 80:80 -v a:/a -P --name n --entrypoint sh web',
    { publish: ['80:80'], volume: ['a:/a'], servicePorts: true, name: 'n', entrypoint: 'sh' },
  ],
  ['run -d --no-deps -T -u root -w / web', { detach: true, deps: false, tty: false, user: 'root', workdir: '/' }],
  ['stop -t 1 web', { timeout: 1000 }, ['web']],
  ['start web', {}, ['web']],
  ['restart -t 0 --no-deps', { timeout: 0, deps: false }],
  ['kill', { signal: 'SIGKILL' }],
  ['kill -s HUP web', { signal: 'HUP' }, ['web']],
  ['config --format json -o out.json', { format: 'json', output: 'out.json' }],
  ['config -q', { quiet: true }],
  [
    'config --no-interpolate --no-normalize --no-path-resolution --no-consistency --no-env-resolution',
    { interpolate: false, normalize: false, pathResolution: false, consistency: false, envResolution: false },
  ],
  ['config --hash *', { hash: '*' }],
  ['config --variables --format json', { variables: true, format: 'json' }],
  ['config --resolve-image-digests --lock-image-digests web', { resolveImageDigests: true, lockImageDigests: true }],
  ['config --models', { models: true }],
  ['config --explain services.web.image', { explain: 'services.web.image' }],
  ['graph --format mermaid web', { format: 'mermaid' }, ['web']],
  [
    'viz --indentation-size 2 --spaces --image --networks --ports',
    { indentationSize: 2, spaces: true, image: true, networks: true, ports: true },
  ],
  ['plan --json --scale web=2', { json: true, scale: { web: 2 } }],
  ['login -u ann --password-stdin r.test', { username: 'ann', passwordStdin: true }, ['r.test']],
  ['logout r.test', {}, ['r.test']],
  [
    'push --ignore-push-failures --include-deps -q web',
    { ignorePushFailures: true, includeDeps: true, quiet: true },
    ['web'],
  ],
  [
    'build --build-arg A=1 --build-arg B --no-cache --pull --push -q --ssh default --with-dependencies web',
    { buildArg: ['A=1', 'B'], cache: false, pull: true, push: true, quiet: true, withDependencies: true },
    ['web'],
  ],
  [
    'build -m 512m --provenance mode=max --sbom true --check --print --progress plain --platform linux/arm64,linux/amd64',
    { memory: 512 * 1024 * 1024, provenance: 'mode=max', sbom: 'true', check: true, print: true, progress: 'plain' },
  ],
  ['build --parallel --compress --force-rm --no-rm', {}],
  ['doctor --json', { json: true, format: 'pretty' }],
  ['doctor --format json', { format: 'json' }],
  ['version --short', { short: true }],
  ['version -f json', { format: 'json' }],
])('%s', async (line, flags, args) => {
  const parsed = await parse(line);
  expect(parsed.flags).toMatchObject(flags);
  if (args) expect(parsed.args).toEqual(args);
});

test.each([
  ['up --scale web', /SERVICE=NUMBER/],
  ['up -t soon', /whole number/],
  ['up --pull sometimes', /always, missing, never/],
  ['logs --tail some', /number of lines/],
  ['ps --format xml', /table, json/],
  ['exec web', /COMMAND/],
  ['nonsense', /no command "nonsense"/],
  ['stpo', /Did you mean `stack stop`/],
  ['up --detahc', /Did you mean `--detach`/],
  ['up --nonsense', /--nonsense/],
  ['up --watch -d', /--watch and --detach cannot be given together/],
  ['up -d --abort-on-container-exit', /cannot be given together/],
  ['up -d --abort-on-container-failure', /--detach and --abort-on-container-failure cannot/],
  ['up --wait --attach web', /--wait and --attach cannot/],
  ['up --wait --attach-dependencies', /--wait and --attach-dependencies cannot/],
  ['up --attach web --attach-dependencies', /--attach and --attach-dependencies cannot/],
  ['up --abort-on-container-exit --abort-on-container-failure', /cannot be given together/],
  ['up --no-recreate -V', /--renew-anon-volumes and --no-recreate cannot/],
  ['up --no-recreate --always-recreate-deps', /--always-recreate-deps and --no-recreate cannot/],
  ['up --no-recreate --recreate-volume data', /--recreate-volume and --no-recreate cannot/],
  ['up --frozen --pull always', /--frozen and --pull always cannot/],
  ['up --plan plan.json web', /--plan and services cannot/],
  ['up --plan plan.json --no-deps', /--plan and --no-deps cannot/],
  ['up --plan plan.json --no-build', /--plan and --no-build cannot/],
  ['plan --no-recreate --force-recreate', /cannot be given together/],
  ['down --rmi some', /Allowed choices are local, all/],
  ['run --rm -d web', /Not supported yet/],
  ['doctor --format xml', /pretty, json/],
  ['kill -s NOPE', /not a signal/],
  ['logs --bad', /--bad/],
  ['config --format xml', /yaml, json/],
  ['config --lint --variables', /cannot be used with|cannot be given together/],
  ['run --all-resources web', /Not supported yet: --all-resources/],
  ['graph --format png', /text, mermaid, dot, svg, json/],
  ['viz --indentation-size two', /whole number/],
  ['viz --indentation-size -1', /from 0 to 100/],
  ['gc', /--keep/],
  ['gc --keep much', /500MB/],
  ['image save --format zip a', /docker-archive/],
  ['--dry-run exec web true', /`stack exec` cannot tell beforehand what it would do/],
  ['image prune --dry-run', /`stack image prune` cannot tell/],
  ['--parallel many up', /whole number/],
  ['image nonsense', /no command "image nonsense"/],
  ['login -u ann r.test', /no terminal to ask/],
  ['login -p x --password-stdin -u ann', /cannot be given together/],
  ['login --password-stdin', /needs a user/],
  ['login a/../b@c', /no registry|is no/],
  ['--progress fancy up', /auto, tty, plain/],
])('%s is refused', async (line, words) => {
  const { exitCode, stderr, stdout } = await output(...line.split(' '));
  expect(stderr).toMatch(words);
  expect(stdout).toBe('');
  expect(exitCode).toBe(1);
});

test('what build cannot do is refused with a reason', async () => {
  const other = await output('build', '--builder', 'remote');
  expect([other.exitCode, other.stderr]).toEqual([
    1,
    expect.stringMatching(/--builder remote: .*Stack builds by itself/),
  ]);
  const size = await output('build', '--memory', 'much');
  expect([size.exitCode, size.stderr]).toEqual([1, expect.stringMatching(/It is a size/)]);
});

test.each([...laterCommands.keys()])('%s is not supported yet', async (name) => {
  const { exitCode, stderr } = await output(name);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`Not supported yet: stack ${name}.`)]);
});

test.each(Object.keys(commands))('the help of %s has an example, and its flags a description', async (name) => {
  const { exitCode, stdout } = await output(name, '--help');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(new RegExp(`Examples?:\n  (.* \\| )?stack (-p demo )?${name}`));
  const entry = commands[name];
  expect(stdout).toContain(entry?.summary);
});

test.each([
  ...['pull', 'load', 'save', 'ls', 'rm', 'inspect', 'history', 'diff', 'tag', 'prune', 'push', 'referrers'].map(
    (name) => ['image', name],
  ),
  ...['df', 'check'].map((name) => ['system', name]),
  ...['create', 'inspect', 'ls', 'prune', 'rm'].map((name) => ['volume', name]),
])('the help of %s %s has an example, and its flags a description', async (group, name) => {
  const { stdout } = await output(group!, name!, '--help');
  expect(stdout).toMatch(new RegExp(`Examples?:\n  .*stack ${group} ${name}`));
  expect(stdout).not.toMatch(/^ +-\S.*(?:>|\]|--\S+)$/m);
});

test.each<[line: string, flags: Record<string, unknown>, args?: string[]]>([
  ['image ls -a -q --no-trunc --digests --filter dangling=true --filter label=x', { all: true, trunc: false }],
  ['image rm -f --no-prune a b', { force: true, prune: false }, ['a', 'b']],
  ['image prune -a -f --filter until=24h', { all: true, force: true, filter: ['until=24h'] }],
  ['image save -o x.tar --format oci-archive a', { output: 'x.tar', format: 'oci-archive' }, ['a']],
  ['image history -q --no-trunc -H false a', { quiet: true, trunc: false, human: 'false' }, ['a']],
  ['image inspect -f {{.Id}} a', { format: '{{.Id}}' }, ['a']],
  ['image tag a b', {}, ['a', 'b']],
  ['volume create -d local -o type=tmpfs -o device=x --label a=b v', { opt: ['type=tmpfs', 'device=x'] }, ['v']],
  ['volume ls -q -f dangling=true --format json', { quiet: true, filter: ['dangling=true'], format: 'json' }],
  ['volume prune -a -f --filter label=a', { all: true, force: true, filter: ['label=a'] }],
  ['volume rm -f a b', { force: true }, ['a', 'b']],
  ['gc --keep 20GB', { keep: 20e9 }],
  ['gc --keep 1.5GiB', { keep: 1.5 * 2 ** 30 }],
  ['system df -v --format json', { verbose: true, format: 'json' }],
  ['system check -q -r', { quick: true, repair: true }],
])('%s', async (line, flags, args) => {
  const parsed = await parseMember(line);
  expect(parsed.flags).toMatchObject(flags);
  if (args) expect(parsed.args).toEqual(args);
});

test('help names a command', async () => {
  expect((await output('help', 'up')).stdout).toMatch(/^Usage: stack up/);
  expect((await output('help')).stdout).toMatch(/^Usage: stack \[options\]/);
});

test('image alone is its help', async () => {
  const { exitCode, stdout } = await output('image');
  expect([exitCode, stdout]).toEqual([0, expect.stringContaining('stack image')]);
});

test('the help lists every command', async () => {
  const { stdout, exitCode } = await output('--help');
  for (const [name, { summary }] of Object.entries(commands)) {
    expect(stdout).toMatch(new RegExp(`^  ${name} .*${summary.slice(0, 20)}`, 'm'));
  }
  expect(stdout).toMatch(/Example/);
  expect(exitCode).toBe(0);
});

test('without root rights nothing is touched', async () => {
  const { exitCode, stderr } = await output('-p', 'demo', 'ps');
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('reached the engine')]);
});

test('version', async () => {
  expect((await output('version', '--short')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(JSON.parse((await output('version', '--format', 'json')).stdout)).toHaveProperty('version');
  expect((await output('--version')).stdout).toMatch(/^Stack version/);
});

test('a misspelt flag is told in one sentence, with the one that may be meant as the next step', async () => {
  expect(await output('up', '--detatch')).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: `error: Unknown option '--detatch'.
  Did you mean \`--detach\`? \`stack up --help\` lists the flags it has.
`,
  });
});
