/** The real kernel port, with a look at every call before it is made. */
import type { KernelPort } from '../../schemas/kernel.ts';

/** `onCall` gets `network.netlink`; what it answers takes the place of the call, undefined lets it be made. */
export function watched(
  kernel: KernelPort,
  onCall: (name: string) => { instead: () => unknown } | undefined,
): KernelPort {
  const group = <Verbs extends object>(verbs: Verbs, name: string): Verbs =>
    new Proxy(verbs, {
      get(target, key) {
        const verb: unknown = Reflect.get(target, key);
        if (typeof verb !== 'function') return verb;
        return (...args: unknown[]) => {
          const other = onCall(`${name}.${String(key)}`);
          return other ? other.instead() : Reflect.apply(verb, target, args);
        };
      },
    });
  return {
    ...kernel,
    filesystem: group(kernel.filesystem, 'filesystem'),
    network: group(kernel.network, 'network'),
    process: group(kernel.process, 'process'),
  };
}
