import { changesText, lockChanges } from '../planner/lock/changes.ts';
import { lockDifferences } from '../planner/lock/lock.ts';
import { define } from './command.ts';
import { findLock, lockPath, requireLock, saveLock } from './lock/file.ts';
import { makeLock } from './lock/resolve.ts';
import { loadProject } from './project.ts';
import { renderer } from './render/render.ts';

interface Flags {
  check?: boolean;
}

export const lock = define<Flags>({
  usage: 'lock',
  summary: 'Write stack.lock: the digest of every image, and of what is built from',
  examples: [
    ['stack lock', 'Lock what is not locked yet; what is locked stays. `stack update` renews it.'],
    ['stack lock --check', 'End with 1 where stack.lock does not fit the stack file. No registry is asked.'],
  ],
  options(command) {
    command.option('--check', 'write nothing; fail where the lock does not fit the stack file');
  },
  async action(context, _args, { check }) {
    const show = renderer(context);
    const loaded = await loadProject(context, show.emit);
    await show.close();
    const path = lockPath(loaded);
    // Those that a profile turns off too: what is locked must not depend on who locks.
    const services = { ...loaded.project.services, ...loaded.disabled };
    if (check) {
      const before = requireLock(path);
      const { buildInputs } = await import('../engine/lock/inputs.ts');
      const [first, ...others] = lockDifferences(before, services, buildInputs(services, path));
      if (!first) return;
      first.also.push(...others);
      throw first;
    }
    const before = findLock(path);
    const after = await makeLock(context, services, path, before ?? { version: 1, images: {}, builds: {} });
    saveLock(path, after);
    context.stdout.write(changesText(lockChanges(before, after)) || 'No changes.\n');
  },
});

export const update = define<object>({
  usage: 'update [SERVICE...]',
  summary: 'Renew stack.lock: what the images of services are now',
  examples: [
    ['stack update', 'Look every image up anew, write stack.lock, and show what moved.'],
    ['stack update web && stack up --frozen', 'Bring web to the image its name means now, and nothing else.'],
  ],
  async action(context, named) {
    const show = renderer(context);
    const loaded = await loadProject(context, show.emit, named);
    await show.close();
    const path = lockPath(loaded);
    const services = { ...loaded.project.services, ...loaded.disabled };
    const before = requireLock(path);
    const { without } = await import('../planner/lock/changes.ts');
    const renewed = named.length === 0 ? services : Object.fromEntries(named.map((name) => [name, services[name]!]));
    const after = await makeLock(context, services, path, without(before, renewed));
    saveLock(path, after);
    context.stdout.write(changesText(lockChanges(before, after)) || 'No changes.\n');
  },
});
