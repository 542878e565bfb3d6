/** Processes started in and beside containers: exit codes, streams, terminals, users. */
import { describe, expect, test } from 'vitest';
import { idle, list, scenario, shell } from './harness/scenario.ts';

const world = scenario();

describe('exec', () => {
  test('gives the exit code of the command, 128 + signal for one that was killed', async () => {
    const stack = world.project('codes', { services: { one: idle } });
    await stack.ok(['up', '-d']);
    const exec = async (script: string) => (await stack.stack(['exec', '-T', 'one', 'sh', '-c', script])).code;
    // All codes of one byte, in one container; each is a process of its own.
    const codes = [0, 1, 2, 3, 42, 64, 100, 124, 125, 126, 127, 128, 129, 130, 137, 143, 200, 254, 255];
    const found: (number | null)[] = [];
    for (const code of codes) found.push(await exec(`exit ${code}`));
    expect(found).toEqual(codes);
    expect(await exec('kill -9 $$')).toBe(137);
    expect(await exec('kill -15 $$')).toBe(143);
    expect(await exec('kill -11 $$')).toBe(139);
  });

  test('ends with 127 for a command that is not there and 126 for one that cannot be executed', async () => {
    const stack = world.project('missing', { services: { one: idle } });
    await stack.ok(['up', '-d']);
    const missing = await stack.stack(['exec', '-T', 'one', 'no-such-command']);
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain('no-such-command');
    const folder = await stack.stack(['exec', '-T', 'one', '/etc/passwd']);
    expect(folder.code).toBe(126);
    expect(folder.stderr).toContain('/etc/passwd');
  });

  test('keeps the two streams apart and passes stdin through to its end', async () => {
    const stack = world.project('streams', { services: { one: idle } });
    await stack.ok(['up', '-d']);
    const done = await stack.stack(['exec', '-T', 'one', 'sh', '-c', 'cat; echo problem >&2'], { input: 'a\nb' });
    expect(done).toMatchObject({ code: 0, stdout: 'a\nb', stderr: 'problem\n' });
    const megabytes = 'x'.repeat(5_000_000);
    const counted = await stack.stack(['exec', '-T', 'one', 'wc', '-c'], { input: megabytes });
    expect(counted.stdout.trim()).toBe('5000000');
    const back = await stack.stack(['exec', '-T', 'one', 'cat'], { input: megabytes });
    expect(back.stdout === megabytes).toBe(true);
  });

  test('takes user, directory and environment', async () => {
    const stack = world.project('options', {
      services: { one: { ...idle, environment: { FROM_FILE: '1' }, working_dir: '/etc' } },
    });
    await stack.ok(['up', '-d']);
    const exec = (...args: string[]) => stack.ok(['exec', '-T', ...args]);
    expect(await exec('one', 'pwd')).toBe('/etc\n');
    expect(await exec('-w', '/tmp', 'one', 'pwd')).toBe('/tmp\n');
    expect(await exec('-u', 'nobody', 'one', 'id', '-u')).toBe('65534\n');
    expect(await exec('-u', '1234:5678', 'one', 'sh', '-c', 'id -u; id -g')).toBe('1234\n5678\n');
    expect(await exec('-e', 'MORE=2', 'one', 'sh', '-c', 'echo $FROM_FILE$MORE')).toBe('12\n');
  });

  test('has a terminal where one is asked for, with its size', async () => {
    const stack = world.project('terminal', { services: { one: idle } });
    await stack.ok(['up', '-d']);
    const inTerminal = (command: string) =>
      world.host.read(
        `stty rows 33 cols 111 2>/dev/null; script -qec "stty rows 33 cols 111; ${command}" /dev/null </dev/null`,
        {
          cwd: stack.folder,
        },
      );
    const bin = `${(await import('./harness/harness.ts')).repository}/bin/stack`;
    // The outer terminal echoes the end of its own input, before or after.
    const shown = (await inTerminal(`${bin} exec one sh -c 'tty; stty size'`)).replaceAll(/\r|\^@|\^D|[\b]/g, '');
    expect(`${shown}\n`).toMatch(/^\/dev\/pts\/\d+\n33 111\n/);
    expect(await stack.ok(['exec', '-T', 'one', 'sh', '-c', 'tty || true'])).toBe('not a tty\n');
  });

  test('says which container does not run', async () => {
    const stack = world.project('stopped', { services: { one: idle } });
    await stack.ok(['up', '-d']);
    await stack.ok(['stop', '-t', '0']);
    const done = await stack.stack(['exec', '-T', 'one', 'true']);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/one.*not running/);
  });
});

describe('run', () => {
  test('starts what the service depends on, gives the exit code, and leaves nothing with --rm', async () => {
    const stack = world.project('once', {
      services: { db: { ...idle }, task: shell('exit 3', { init: true, depends_on: ['db'] }) },
    });
    expect((await stack.stack(['run', '--rm', '-T', 'task'])).code).toBe(3);
    expect((await list(stack)).map(({ Service }) => Service)).toEqual(['db']);
    const done = await stack.stack(['run', '--rm', '-T', 'task', 'sh', '-c', 'cat; echo said; exit 7'], {
      input: 'in ',
    });
    expect(done).toMatchObject({ code: 7, stdout: 'in said\n' });
    expect((await stack.stack(['run', '--rm', '-T', 'task', 'sh', '-c', 'kill -9 $$'])).code).toBe(137);
  });

  test('ends with 127 and 126 as docker does', async () => {
    const stack = world.project('cannot', { services: { task: idle } });
    expect((await stack.stack(['run', '--rm', '-T', 'task', 'no-such-command'])).code).toBe(127);
    expect((await stack.stack(['run', '--rm', '-T', 'task', '/etc/passwd'])).code).toBe(126);
    expect(await list(stack)).toEqual([]);
  });

  test('forwards SIGTERM and SIGINT to the process and waits for it', async () => {
    const stack = world.project('signalled', { services: { task: idle } });
    const script = 'trap "echo got it; exit 9" TERM INT; echo ready; while :; do sleep 0.1; done';
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const run = stack.start(['run', '--rm', '-T', 'task', 'sh', '-c', script]);
      await run.output(/ready/);
      run.kill(signal);
      await run.output(/got it/);
      expect((await run.exited).code).toBe(9);
    }
  });
});
