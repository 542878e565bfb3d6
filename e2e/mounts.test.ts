/** What mounts keep from a container, whatever lies below their source. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { idle, scenario } from './harness/scenario.ts';

const world = scenario();

test('a read-only bind is read-only all the way down, also where something is mounted below its source', async () => {
  const stack = world.project('deep', {
    services: { one: { ...idle, volumes: ['./tree:/tree:ro', './tree:/open'] } },
  });
  const inner = join(stack.folder, 'tree/inner');
  mkdirSync(inner, { recursive: true });
  await world.host.read(`mount -t tmpfs -o size=64k none '${inner}'`);
  try {
    await stack.ok(['up', '-d']);
    const touch = (path: string) => stack.stack(['exec', '-T', 'one', 'touch', path]);
    expect((await touch('/tree/file')).stderr).toMatch(/read-only file system/i);
    expect((await touch('/tree/inner/file')).stderr).toMatch(/read-only file system/i);
    expect((await touch('/open/inner/file')).code).toBe(0);
    await stack.ok(['down', '-t', '0']);
    // The source itself is untouched by what the container's view of it may do.
    await world.host.read(`touch '${inner}/from-the-host'`);
  } finally {
    await world.host.sh(`umount '${inner}'`);
  }
});

test('memory in place of a directory of the image keeps its mode', async () => {
  const tmpfs = ['/root', '/fresh', '/tmp:mode=700'];
  const stack = world.project('kept', { services: { bare: idle, one: { ...idle, tmpfs } } });
  await stack.ok(['up', '-d']);
  const modes = (service: string, ...paths: string[]) =>
    stack.ok(['exec', '-T', service, 'stat', '-c', '%a', ...paths]);
  const inImage = await modes('bare', '/root');
  expect(inImage).not.toBe('1777\n');
  expect(await modes('one', '/root', '/fresh', '/tmp')).toBe(`${inImage}1777\n700\n`);
});
