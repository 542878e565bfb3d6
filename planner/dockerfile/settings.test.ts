import { describe, expect, it } from 'vitest';
import { StackError } from '../../schemas/errors.ts';
import { readBuildSettings } from './settings.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const read = (build: Record<string, unknown>) =>
  readBuildSettings(build, platform, (name) => (name === 'FROM_ENV' ? 'e' : undefined));

describe('the build section', () => {
  it('has defaults', () => {
    expect(read({ context: '/c', dockerfile: 'Dockerfile' })).toEqual({
      ...{ args: {}, platforms: [], buildPlatform: platform, labels: {}, network: 'default', noCache: false },
      ...{ noCacheFilter: [], hosts: [], ulimits: {}, secrets: [], ssh: [], entitlements: [], privileged: false },
      contexts: {},
    });
  });

  it('is taken over', () => {
    const section = {
      ...{ args: { A: '1', FROM_ENV: null, UNSET: null }, target: 't', network: 'host', no_cache: true },
      ...{
        no_cache_filter: ['x'],
        extra_hosts: ['h=1.1.1.1'],
        shm_size: '1024',
        ulimits: { a: 1, b: { soft: 1, hard: 2 } },
      },
      ...{ secrets: [{ source: 's' }, { source: 'p', target: 'q' }], ssh: ['default', 'k=/path'], privileged: true },
      ...{
        platforms: ['linux/arm64'],
        additional_contexts: { c: '/d' },
        labels: { l: 'm' },
        entitlements: ['network.host'],
      },
    };
    expect(read(section)).toEqual({
      ...{ args: { A: '1', FROM_ENV: 'e' }, target: 't', network: 'host', noCache: true, noCacheFilter: ['x'] },
      ...{ hosts: ['h=1.1.1.1'], shmSize: 1024, ulimits: { a: { soft: 1, hard: 1 }, b: { soft: 1, hard: 2 } } },
      ...{ secrets: ['s', 'q'], ssh: ['default', 'k'], privileged: true, buildPlatform: platform },
      ...{ platforms: [{ os: 'linux', architecture: 'arm64' }], contexts: { c: '/d' }, labels: { l: 'm' } },
      entitlements: ['network.host'],
    });
  });

  it.each([{ isolation: 'hyperv' }, { network: 'my-network' }, { platforms: ['a/b/c/d'] }])('refuses %j', (section) => {
    expect(() => read(section)).toThrow(StackError);
  });
});
