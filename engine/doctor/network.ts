/** Networks, tried out in a network namespace that goes again: what is missing is told by the kernel's own refusal. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Fd, NetworkVerbs } from '../../schemas/kernel.ts';
import { text } from '../network/netlink/attributes.ts';
import { addBridge, addVeth } from '../network/netlink/link.ts';
import { decode, encode, flag, type Request } from '../network/netlink/message.ts';
import { protocol } from '../network/netlink/netlink.ts';
import { destinationType, masquerade, nfproto, register } from '../network/nft/expressions.ts';
import { addChain, addRule, addTable, getChains, hook, readChain, transaction } from '../network/nft/messages.ts';
import { type Check, check, type Machine } from './check.ts';

export async function networkChecks(machine: Machine): Promise<Check[]> {
  const fixed = [ipv6(machine), forwarding(machine), docker(machine)];
  if (!machine.kernel) return fixed;
  const { network } = machine.kernel;
  const tried = await tryOut(network);
  // After, and not besides: asked for twice at once, nf_tables may be half loaded for the second, who is refused.
  return [...tried, ...fixed, ...(await otherFirewalls(network))];
}

async function tryOut(kernel: NetworkVerbs): Promise<Check[]> {
  let namespace: Fd;
  try {
    namespace = await kernel.createNamespace();
  } catch (thrown) {
    const { fail } = check('network.namespace', 'Network namespaces');
    return [fail((thrown as Error).message, 'Run as root on a kernel with CONFIG_NET_NS.')];
  }
  try {
    const mac = '02:00:00:00:00:01';
    const peer = { name: 'there', mac, namespace };
    const errors = await Promise.all([
      refusal(kernel, protocol.route, namespace, [addBridge({ name: 'bridge', mac, group: 0 })]),
      refusal(kernel, protocol.route, namespace, [addVeth({ name: 'here', master: 0, group: 0, peer })]),
      refusal(kernel, protocol.netfilter, namespace, rules()),
      refusal(kernel, protocol.route, namespace, [addQdisc('netem')]),
      refusal(kernel, protocol.route, namespace, [addQdisc('tbf')]),
    ]);
    const [bridge, veth, nftables, netem, tbf] = errors;
    return [
      must('network.bridge', 'Bridges', bridge, 'Load the module `bridge`.'),
      must('network.veth', 'Veth pairs', veth, 'Load the module `veth`.'),
      must(
        'network.nftables',
        'nftables',
        nftables,
        'Load nf_tables, nft_chain_nat, nft_masq, nft_fib_ipv4 and nf_nat.',
      ),
      shaping({ netem, tbf }),
    ];
  } finally {
    closeSync(namespace);
  }
}

function must(id: string, title: string, refused: string | undefined, advice: string): Check {
  const { ok, fail } = check(id, title);
  return refused ? fail(refused, advice) : ok('work');
}

/** Each is asked for without its settings: EINVAL means that the kernel knows it, ENOENT that it does not. */
function shaping(refused: Record<string, string | undefined>): Check {
  const { ok, warn } = check('network.shaping', 'Traffic shaping');
  const missing = Object.keys(refused).filter((name) => refused[name]?.startsWith('ENOENT'));
  if (missing.length === 0) return ok(Object.keys(refused).join(' '));
  return warn(
    `no ${missing.join(', no ')}`,
    `Delay, loss and rate of a link cannot be set: load ${missing.map((name) => `sch_${name}`).join(' and ')}.`,
  );
}

/** The chains and expressions our own rules are made of (engine/network/rules). */
function rules(): Request[] {
  const table = { family: nfproto.ip, name: 'trial' };
  return transaction([
    addTable(table),
    addChain(table, { name: 'forward', type: 'filter', hook: hook.forward, priority: 0 }),
    addChain(table, { name: 'leave', type: 'nat', hook: hook.postrouting, priority: 100 }),
    addRule(table, 'forward', destinationType(register(0))),
    addRule(table, 'leave', masquerade()),
  ]);
}

/** RTM_NEWQDISC of include/uapi/linux/rtnetlink.h with a `struct tcmsg`: at the root of the loopback, which is link 1. */
function addQdisc(kind: string): Request {
  const header = Buffer.alloc(20);
  header.writeInt32LE(1, 4);
  header.writeUInt32LE(0xffff_ffff, 12);
  const flags = flag.create | flag.replace;
  return { type: 36, flags, body: Buffer.concat([header, text(1, kind)]), about: `add the queue ${kind}` };
}

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The first refusal of a batch; undefined where all of it was done. */
async function refusal(kernel: NetworkVerbs, family: number, namespace: Fd, batch: Request[]) {
  try {
    const [first] = decode(await kernel.netlink(family, namespace, encode(batch))).refusals;
    if (!first) return undefined;
    const about = batch[first.index]?.about ?? '';
    return `${names.get(first.errno) ?? first.errno} at: ${about}${first.text ? ` (${first.text})` : ''}`;
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

/** What drops forwarded packets besides us. */
async function otherFirewalls(kernel: NetworkVerbs): Promise<Check[]> {
  const { ok, warn } = check('network.firewall', 'Other firewalls');
  try {
    const { answers } = decode(await kernel.netlink(protocol.netfilter, null, encode([getChains()])));
    const closed = answers
      .map(readChain)
      .filter(({ table, hook: at, policy }) => at === hook.forward && policy === 'drop' && !table.startsWith('stack-'));
    if (closed.length === 0) return [ok('none that drops what is forwarded')];
    const words = closed.map(({ family, table, name }) => `${family} ${table} ${name}`).join(', ');
    return [
      warn(
        `dropping what is forwarded: ${words}`,
        'It has to let the bridges through: docs/networks.md, "Beside a firewall".',
      ),
    ];
  } catch {
    // That nftables is missing is told above.
    return [];
  }
}

function ipv6({ exists, read }: Machine): Check {
  const { ok, warn } = check('network.ipv6', 'IPv6');
  const advice = 'Networks with `enable_ipv6` cannot be made.';
  if (!exists('/proc/net/if_inet6')) return warn('not in this kernel', advice);
  const isOff = read('/proc/sys/net/ipv6/conf/all/disable_ipv6')?.trim() === '1';
  return isOff ? warn('turned off', `${advice} Set net.ipv6.conf.all.disable_ipv6 to 0 with sysctl.`) : ok('on');
}

function forwarding({ read, isWritable }: Machine): Check {
  const { ok, fail } = check('network.forwarding', 'Forwarding');
  const file = '/proc/sys/net/ipv4/ip_forward';
  if (read(file)?.trim() === '1') return ok('on');
  if (isWritable(file)) return ok('off: turned on with the first network, for our bridges alone');
  return fail('off, and not ours to change', 'Set net.ipv4.ip_forward to 1 with sysctl, as root.');
}

function docker({ exists }: Machine): Check {
  const { ok, warn } = check('host.docker', 'Docker');
  if (!exists('/run/docker.sock') && !exists('/sys/class/net/docker0')) return ok('not running');
  return warn(
    'running',
    'It closes forwarding for what is not its own, and ports it publishes are taken: docs/networks.md, "Beside a firewall".',
  );
}
