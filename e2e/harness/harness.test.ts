import { expect, test } from 'vitest';
import { privateHost } from './harness.ts';

test('a private host sees its registry and the world outside, and tells what is left in it', async () => {
  const host = await privateHost();
  try {
    expect(JSON.parse(await host.answered('http://127.0.0.1:5000/v2/library/redis/tags/list')).tags).toContain('7');
    expect(await host.answered('http://192.0.2.2/from')).toBe('192.0.2.1 GET /from\n');
    expect(await host.answered('http://[2001:db8::2]/')).toBe('2001:db8::1 GET /\n');
    expect(await host.read('getent ahostsv4 world.test')).toMatch(/^192\.0\.2\.2 /);
    expect(await host.leaks()).toEqual([]);

    await host.sh(
      'setsid sleep 1000 >/dev/null 2>&1 & ip link add st-left type veth peer name st-peer; nft add table inet stack-left',
    );
    const left = await host.leaks();
    expect(left).toContainEqual(expect.stringMatching(/^process left: \d+ sleep 1000$/));
    expect(left).toContainEqual('link left: st-left');
    expect(left).toContainEqual('nftables left: table inet stack-left {');
  } finally {
    await host.close();
  }
});
