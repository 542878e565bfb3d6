/** Logins at a real registry: kept where docker keeps them, used by push and pull. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { repository } from './harness/harness.ts';
import { registries } from './harness/registries.ts';
import { expectError, scenario } from './harness/scenario.ts';

const world = scenario();
const { serve, dockerConfig, bring, digestOf, ok } = registries(world);

describe('with a login', () => {
  const at = '127.0.0.1:5011';
  beforeAll(async () => {
    const { host } = world;
    const passwords = join(host.folder, 'htpasswd');
    // bcrypt, as docker-registry wants it.
    const hash = await host.read(`perl -e 'print crypt("s:ecret", q($2b$05$abcdefghijklmnopqrstuu))'`);
    writeFileSync(passwords, `ann:${hash}\n`);
    await serve(at, { auth: { htpasswd: { realm: 'test', path: passwords } } });
  });

  test('login is tried out and kept as docker does, push and pull use it, logout forgets it', async () => {
    const { host } = world;
    const { env, file } = dockerConfig('docker-plain', {
      auths: { 'other.test': { auth: 'eDp5' } },
      HttpHeaders: { a: 'b' },
    });
    chmodSync(file, 0o644);
    const name = `${at}/team/app:1`;
    const digest = await bring(name);
    expectError(
      await host.stack(['image', 'push', name], { env }),
      1,
      /wants a login/,
      /stack login 127\.0\.0\.1:5011/,
    );
    const logIn = ['login', at, '-u', 'ann', '--password-stdin'];
    expectError(await host.stack(logIn, { env, input: 'wrong' }), 1, /does not accept the login of ann/);
    expect(readFileSync(file, 'utf8')).not.toContain('5011');
    expect(await ok(logIn, { env, input: 's:ecret\n' })).toBe('Login Succeeded\n');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      auths: { 'other.test': { auth: 'eDp5' }, [at]: { auth: Buffer.from('ann:s:ecret').toString('base64') } },
      HttpHeaders: { a: 'b' },
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await ok(['image', 'push', name], { env })).toContain(`1: digest: ${digest} size: `);
    const seen = await host.read(
      `skopeo inspect --authfile ${file} --tls-verify=false --format '{{.Digest}}' docker://${name}`,
    );
    expect(seen).toBe(digest);
    await ok(['image', 'rm', name]);
    await ok(['image', 'pull', name], { env });
    expect(await digestOf(name)).toBe(digest);
    expect(await ok(['logout', at], { env })).toContain('Removing login');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      auths: { 'other.test': { auth: 'eDp5' } },
      HttpHeaders: { a: 'b' },
    });
    expectError(await host.stack(['image', 'pull', name], { env }), 1, /wants a login/);
  });

  test('at a terminal user and password are asked for, and the password is not shown', async () => {
    const { host } = world;
    const { env, file } = dockerConfig('docker-terminal', {});
    const script = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
seen = b''
def await_(words):
    global seen
    while words not in seen: seen += os.read(fd, 4096)
await_(b'User for'); os.write(fd, b'ann\\r'); await_(b'Password:'); os.write(fd, b's:ecret\\r')
try:
    while True:
        more = os.read(fd, 4096)
        if not more: break
        seen += more
except OSError: pass
print(seen.decode()); sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
    writeFileSync(join(host.folder, 'terminal.py'), script);
    const shown = await host.read(`python3 ${host.folder}/terminal.py ${join(repository, 'bin/stack')} login ${at}`, {
      env,
    });
    expect(shown).toContain('Login Succeeded');
    expect(shown).not.toContain('ecret');
    expect(JSON.parse(readFileSync(file, 'utf8')).auths[at].auth).toBe(Buffer.from('ann:s:ecret').toString('base64'));
  });

  test('a credential helper keeps the login instead of the file', async () => {
    const { host } = world;
    const bin = join(host.folder, 'bin');
    mkdirSync(bin);
    const helper = join(bin, 'docker-credential-test');
    const kept = join(bin, 'kept');
    writeFileSync(
      helper,
      `#!/bin/sh
case $1 in
  store) cat > ${kept} ;;
  get) test -s ${kept} && grep -q "\\"$(cat)\\"" ${kept} && cat ${kept} || { echo "credentials not found in native keychain"; exit 1; } ;;
  erase) cat > /dev/null; rm -f ${kept} ;;
  *) exit 2 ;;
esac
`,
      { mode: 0o755 },
    );
    const { env: config, file } = dockerConfig('docker-helper', { credHelpers: { [at]: 'test' } });
    const env = { ...config, PATH: `${bin}:${host.env.PATH}` };
    const name = `${at}/team/helped:1`;
    const digest = await bring(name);
    await ok(['login', at, '-u', 'ann', '--password-stdin'], { env, input: 's:ecret' });
    expect(JSON.parse(readFileSync(kept, 'utf8'))).toEqual({ ServerURL: at, Username: 'ann', Secret: 's:ecret' });
    expect(readFileSync(file, 'utf8')).not.toContain('YW5u');
    await ok(['image', 'push', name], { env });
    await ok(['image', 'rm', name]);
    await ok(['image', 'pull', name], { env });
    expect(await digestOf(name)).toBe(digest);
    await ok(['logout', at], { env });
    expect(existsSync(kept)).toBe(false);
    writeFileSync(helper, '#!/bin/sh\necho "the keychain is locked"; exit 1\n');
    expectError(
      await host.stack(['image', 'pull', name], { env }),
      1,
      /wants a login/,
      /docker-credential-test failed: the keychain is locked/,
    );
  });
});
