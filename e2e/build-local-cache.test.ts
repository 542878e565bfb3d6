/** Steps handed from machine to machine in a directory: `cache_to` and `cache_from` of type=local. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scenario } from './harness/scenario.ts';

const world = scenario();
const text = `FROM busybox:1 AS one
RUN echo ran one; echo 1 > /one
FROM busybox:1
COPY --from=one /one /two
RUN echo ran two; echo 2 >> /two
CMD ["cat", "/two"]
`;

const demo = (name: string, build: object) => {
  const section = { context: '.', dockerfile_inline: text, ...build };
  return world.project(name, { services: { web: { build: section } } });
};

test('what one machine built another does not; a damaged cache is built anew', async () => {
  const folder = join(world.host.folder, 'shared-cache');
  const first = await demo('first', { cache_to: [`type=local,dest=${folder},mode=max`] }).stack(['build']);
  expect(first, first.stderr).toMatchObject({ code: 0 });
  expect(readdirSync(join(folder, 'steps')).length).toBe(3);

  const forget = async () => {
    await world.host.stack(['image', 'prune', '-af']);
    await world.host.stack(['builder', 'prune', '-af']);
  };
  await forget();
  const from = { cache_from: [`type=local,src=${folder}`, 'type=gha'] };
  const second = await demo('second', from).stack(['build']);
  expect(second, second.stderr).toMatchObject({ code: 0 });
  expect(second.stderr).not.toMatch(/^#\d+ ran /m);
  expect(second.stderr.match(/CACHED/g)).toHaveLength(3);
  expect(second.stderr.match(/type=gha: there is no type gha/g)).toHaveLength(1);
  expect(await demo('second', from).ok(['run', '--rm', '-T', 'web'])).toBe('1\n2\n');

  await world.host.stack(['-p', 'second', 'down', '--rmi', 'local']);
  await forget();
  const blobs = join(folder, 'blobs/sha256');
  for (const name of readdirSync(blobs)) writeFileSync(join(blobs, name), 'nonsense');
  const third = await demo('third', from).stack(['build']);
  expect(third, third.stderr).toMatchObject({ code: 0 });
  expect(third.stderr.match(/^#\d+ ran (?:one|two)$/gm)).toHaveLength(2);
  expect(third.stderr).toMatch(/warning: .*(?:bytes|digest|sha256|cache)/);
});
