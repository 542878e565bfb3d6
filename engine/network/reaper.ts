/**
 * Removes links without making anybody wait: each removal costs an RCU grace period of some 20 ms under the lock of
 * every other change of links, whether it is of one link or of a hundred. So they are gathered.
 */
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import { removeLinks } from './netlink/link.ts';
import { protocol, send } from './netlink/netlink.ts';

/** A link group nobody uses, for the length of one batch. */
export const scratchGroup = (): number => 0x40000000 + Math.floor(Math.random() * 0x3fffffff);

/** Longer than the containers of a stack take to go one after the other; `flush` does not wait for it. */
const GATHER_MS = 100;

export interface Reaper {
  /** Removes the links soon. */
  add(names: string[]): void;
  /** These names are about to be used again: they are not removed any more, and those under way are gone. */
  spare(names: string[]): Promise<void>;
  /** Removes what was gathered, and `names` with it. Throws StackError network.kernel, also for removals before it. */
  flush(names?: string[]): Promise<void>;
}

export function createReaper(kernel: NetworkVerbs): Reaper {
  const gathered = new Set<string>();
  const underWay = new Map<string, Promise<unknown>>();
  let timer: NodeJS.Timeout | undefined;
  let failure: unknown;

  function run(): Promise<unknown> {
    clearTimeout(timer);
    timer = undefined;
    const names = [...gathered];
    gathered.clear();
    if (names.length === 0) return Promise.resolve();
    const sent = send(kernel, protocol.route, null, removeLinks(names, scratchGroup()));
    const ended = sent
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => {
        for (const name of names) underWay.delete(name);
      });
    for (const name of names) underWay.set(name, ended);
    return ended;
  }

  return {
    add(names) {
      for (const name of names) gathered.add(name);
      timer ??= setTimeout(run, GATHER_MS).unref();
    },
    async spare(names) {
      for (const name of names) gathered.delete(name);
      await Promise.all(names.map((name) => underWay.get(name)));
    },
    async flush(names = []) {
      for (const name of names) gathered.add(name);
      await Promise.all([run(), ...underWay.values()]);
      const thrown = failure;
      failure = undefined;
      if (thrown) throw thrown;
    },
  };
}
