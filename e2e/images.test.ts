/** Images: pulled from a real registry, loaded from archives, read back by other people's tools. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { places } from '../scripts/base-images/places.ts';
import { idle, scenario } from './harness/scenario.ts';

const world = scenario();
const mirror = 'docker://127.0.0.1:5000/library';

test('pull brings an image by its ordinary name; ls, inspect and rm know it', async () => {
  const { host } = world;
  expect(await host.stack(['image', 'pull', 'redis:7'])).toMatchObject({ code: 0 });
  const listed = (await host.stack(['image', 'ls'])).stdout;
  expect(listed).toMatch(/redis\S*\s+7\s|redis:7/);
  const inspected = JSON.parse((await host.stack(['image', 'inspect', 'redis:7'])).stdout);
  const image = Array.isArray(inspected) ? inspected[0] : inspected;
  expect(JSON.stringify(image)).toContain('docker-entrypoint.sh');
  expect((await host.stack(['image', 'rm', 'redis:7'])).code).toBe(0);
  expect((await host.stack(['image', 'ls'])).stdout).not.toMatch(/redis/);
});

test('the store is an OCI layout that skopeo reads as it lies', async () => {
  const { host } = world;
  await host.stack(['image', 'pull', 'nginx:1']);
  const index = JSON.parse(await host.read(`cat ${host.root}/images/index.json`));
  expect(index.manifests.length).toBeGreaterThan(0);
  const reference = index.manifests[0].annotations['org.opencontainers.image.ref.name'];
  const out = `${host.folder}/tmp/copied`;
  await host.read(
    `skopeo --insecure-policy copy -q oci:${host.root}/images:${reference} dir:${out} && test -s ${out}/manifest.json && rm -r ${out}`,
  );
});

test('an image in use is not removed', async () => {
  const stack = world.project('using', { services: { one: idle } });
  await stack.ok(['up', '-d']);
  const done = await world.host.stack(['image', 'rm', 'busybox:1']);
  expect(done.code).toBe(1);
  expect(done.stderr).toMatch(/using-one-1|in use/);
});

test('`image load` takes docker archives and OCI layouts, as files and from stdin', async () => {
  const { host } = world;
  const folder = `${host.folder}/archives`;
  const copy = 'skopeo --insecure-policy copy -q --src-tls-verify=false';
  await host.read(`mkdir -p ${folder} && ${copy} ${mirror}/busybox:1 docker-archive:${folder}/docker.tar:example.test/from-docker:2 &&
    ${copy} ${mirror}/busybox:1 oci:${folder}/layout:example.test/from-oci:3 && tar -C ${folder}/layout -cf ${folder}/oci.tar . &&
    gzip -k ${folder}/docker.tar`);
  for (const file of ['docker.tar', 'oci.tar', 'layout']) {
    const done = await host.stack(['image', 'load', '-i', `${folder}/${file}`]);
    expect(done).toMatchObject({ code: 0 });
  }
  const piped = await host.read(
    `bin=${join(import.meta.dirname, '../bin/stack')}; $bin image load < ${folder}/docker.tar.gz`,
  );
  expect(piped).toContain('from-docker');
  const stack = world.project('loaded', {
    services: {
      docker: { image: 'example.test/from-docker:2', command: ['echo', 'docker'] },
      oci: { image: 'example.test/from-oci:3', command: ['echo', 'oci'] },
    },
  });
  expect(await stack.ok(['run', '--rm', '-T', 'docker'])).toBe('docker\n');
  expect(await stack.ok(['run', '--rm', '-T', 'oci'])).toBe('oci\n');
});

test('layers are laid over each other with whiteouts, owners, modes, hard links, times and extended attributes', async () => {
  const { host } = world;
  const folder = `${host.folder}/layers`;
  await host.read(`
    set -e
    mkdir -p ${folder}/one/dir/sub ${folder}/one/opaque ${folder}/two/dir ${folder}/two/opaque && cd ${folder}
    skopeo --insecure-policy copy -q --src-tls-verify=false ${mirror}/busybox:1 oci:layout:layered
    echo hidden > one/dir/hidden; echo kept > one/dir/kept; echo below > one/opaque/below; echo x > one/dir/sub/x
    echo linked > one/first; ln one/first one/second; ln -s first one/symbolic
    touch -d 2001-02-03T04:05:06Z one/dir/kept; chown 12:34 one/dir/kept; chmod 4755 one/dir/kept
    mkfifo one/pipe; mknod one/device c 1 3
    cp one/dir/kept one/capable; setfattr -n user.note -v hello one/capable 2>/dev/null || python3 -c 'import os; os.setxattr("one/capable", "user.note", b"hello")'
    touch two/dir/.wh.hidden two/dir/.wh.sub two/opaque/.wh..wh..opq; echo above > two/opaque/above
    for n in one two; do tar -C $n --xattrs --xattrs-include='*' --numeric-owner -cf $n.tar .; umoci raw add-layer --image layout:layered $n.tar; done
    umoci config --image layout:layered --config.env LAYERED=yes --config.user 12:34
    skopeo --insecure-policy copy -q oci:layout:layered docker-archive:layered.tar:layered:1
  `);
  expect(await host.stack(['image', 'load', '-i', `${folder}/layered.tar`])).toMatchObject({ code: 0 });
  const stack = world.project('layered', { services: { one: { image: 'layered:1', user: 'root' } } });
  const out = await stack.ok([
    'run',
    '--rm',
    '-T',
    'one',
    'sh',
    '-c',
    `
    ls -A /dir /opaque; stat -c '%u:%g %a %Y' /dir/kept; stat -c '%h' /first /second; readlink /symbolic
    stat -c %F /pipe; stat -c '%F %t:%T' /device; echo $LAYERED`,
  ]);
  expect(out.split('\n')).toEqual([
    '/dir:',
    'kept',
    '',
    '/opaque:',
    'above',
    '12:34 4755 981173106',
    '2',
    '2',
    'first',
    'fifo',
    'character special file 1:3',
    'yes',
    '',
  ]);
  const attribute = await host.read(
    `cd ${host.root}/layers; for f in */fs/capable; do python3 -c 'import os,sys; print(os.getxattr(sys.argv[1], "user.note").decode())' $f; done`,
  );
  expect(attribute).toBe('hello');
  expect(await stack.ok(['run', '--rm', '-T', '-u', '12:34', 'one', 'id', '-u'])).toBe('12\n');
});

test('two stacks that pull the same image at once share one copy', async () => {
  const projects = ['first', 'second'].map((name) =>
    world.project(name, { services: { db: { image: 'postgres:15', command: ['true'] } } }),
  );
  const done = await Promise.all(projects.map((stack) => stack.stack(['run', '--rm', '-T', 'db', 'true'])));
  expect(done.map(({ code }) => code)).toEqual([0, 0]);
  expect(existsSync(places().registry)).toBe(true);
  const layers = await world.host.read(`ls -d ${world.host.root}/layers/*/ | wc -l`);
  expect(Number(layers)).toBeGreaterThan(1);
});
