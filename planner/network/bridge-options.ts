/**
 * `driver_opts` of the bridge driver. Names and meanings are docker's (docs.docker.com "Bridge network driver", Options), so
 * that a stack file made for it means the same here.
 */
import { type ErrorCode, StackError } from '../../schemas/errors.ts';
import type { Network } from '../../schemas/project.ts';
import { nearest } from '../load/suggest.ts';
import { parseAddress } from './address.ts';

/**
 * How the host stands between a family's addresses and the world. `nat`: published ports alone lead in, and what goes out goes
 * under the host's address. `nat-unprotected`: every port leads in for who has a route. `routed`: no address is translated;
 * published ports are open at the container's own address. `isolated`: the host has no address on the network.
 */
export type GatewayMode = (typeof gatewayModes)[number];
const gatewayModes = ['nat', 'nat-unprotected', 'routed', 'isolated'] as const;

export interface BridgeOptions {
  /** What the bridge is called; absent: a name that follows from the network's. */
  bridge?: string;
  isMasqueraded: boolean;
  /** Containers of the network reach each other. */
  isConnected: boolean;
  /** Where ports are published that name no host address. */
  hostBinding?: string;
  /** The bridge gets no IPv4 address: the gateway is somebody else. */
  inhibitsIpv4: boolean;
  gatewayMode: { ipv4: GatewayMode; ipv6: GatewayMode };
  /** Of the containers' interfaces: `eth`. */
  interfacePrefix: string;
  /** Bytes. */
  mtu?: number;
}

export interface OptionProblem {
  option: string;
  code: ErrorCode;
  message: string;
  hint: string;
}

type Reader = (value: string, into: BridgeOptions, network: Network) => [why: string, hint: string] | undefined;

const flag = (set: (into: BridgeOptions, value: boolean) => void): Reader => {
  return (value, into) => {
    // What Go's strconv.ParseBool takes, as docker does.
    const isTrue = /^(?:1|t|true)$/i.test(value);
    if (!isTrue && !/^(?:0|f|false)$/i.test(value)) return ['is neither true nor false', 'Write "true" or "false".'];
    set(into, isTrue);
    return undefined;
  };
};

const gatewayMode = (family: 'ipv4' | 'ipv6'): Reader => {
  return (value, into, { internal }) => {
    const mode = gatewayModes.find((one) => one === value);
    if (!mode) return [`is none of ${gatewayModes.join(', ')}`, `Write ${gatewayModes.join(', ')}.`];
    if (mode === 'isolated' && !internal) {
      return ['can be asked only of an internal network', 'Add `internal: true` to the network.'];
    }
    into.gatewayMode[family] = mode;
    return undefined;
  };
};

const MTU = 'com.docker.network.driver.mtu';

const readers: Record<string, Reader> = {
  'com.docker.network.bridge.name': (value, into) => {
    if (value === '') return undefined;
    // Names that begin with st- are those of bridges whose name nobody chose.
    if (!isLinkName(value) || value === 'lo' || value.startsWith('st-')) {
      return ['is no name of a bridge', 'Write at most 15 letters, digits, dots and hyphens, not beginning with st-.'];
    }
    into.bridge = value;
    return undefined;
  },
  'com.docker.network.bridge.enable_ip_masquerade': flag((into, value) => {
    into.isMasqueraded = value;
  }),
  'com.docker.network.bridge.enable_icc': flag((into, value) => {
    into.isConnected = value;
  }),
  'com.docker.network.bridge.inhibit_ipv4': flag((into, value) => {
    into.inhibitsIpv4 = value;
  }),
  'com.docker.network.bridge.host_binding_ipv4': (value, into) => {
    if (value === '') return undefined;
    if (parseAddress(value)?.family !== 4) return ['is no IPv4 address', 'Write an address of this host: 127.0.0.1.'];
    if (value !== '0.0.0.0') into.hostBinding = value;
    return undefined;
  },
  'com.docker.network.bridge.gateway_mode_ipv4': gatewayMode('ipv4'),
  'com.docker.network.bridge.gateway_mode_ipv6': gatewayMode('ipv6'),
  'com.docker.network.container_iface_prefix': (value, into) => {
    // Room for a number behind it.
    if (isLinkName(`${value}99`) && value !== '') into.interfacePrefix = value;
    else return ['is no beginning of a name of a link', 'Write at most 13 letters, digits, dots and hyphens.'];
    return undefined;
  },
  [MTU]: (value, into, { enable_ipv6: hasIpv6 }) => {
    const mtu = Number(value);
    if (mtu === 0) return undefined;
    // RFC 791 and RFC 8200 set the least.
    const least = hasIpv6 ? 1280 : 68;
    if (!Number.isInteger(mtu) || mtu < least || mtu > 65535) {
      return ['cannot be the MTU', `Set ${MTU} to a number from ${least} to 65535.`];
    }
    into.mtu = mtu;
    return undefined;
  },
};

/** What the kernel takes (dev_valid_name, 15 characters) without what shells and netlink's alternatives stumble over. */
export const isLinkName = (name: string): boolean => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name);

/** All that `driver_opts` of a network say, and all that is wrong with them. */
export function readBridgeOptions(network: Network): { options: BridgeOptions; problems: OptionProblem[] } {
  const options: BridgeOptions = {
    isMasqueraded: true,
    isConnected: true,
    inhibitsIpv4: false,
    gatewayMode: { ipv4: 'nat', ipv6: 'nat' },
    interfacePrefix: 'eth',
  };
  const problems: OptionProblem[] = [];
  // Those of other drivers are read elsewhere.
  const isBridge = !network.driver || network.driver === 'bridge' || network.driver === 'default';
  for (const [option, value] of Object.entries(isBridge ? (network.driver_opts ?? {}) : {})) {
    if (!Object.hasOwn(readers, option)) {
      problems.push(unknownOption('bridge', option, Object.keys(readers)));
      continue;
    }
    const wrong = readers[option]!(value, options, network);
    if (wrong)
      problems.push({ option, code: 'config.value', message: `${JSON.stringify(value)} ${wrong[0]}`, hint: wrong[1] });
  }
  return { options, problems };
}

export function unknownOption(driver: string, option: string, known: string[]): OptionProblem {
  const meant = nearest(option, known);
  return {
    option,
    code: 'config.not-supported',
    message: `the driver ${driver} has no option ${option}`,
    hint: meant ? `Did you mean \`${meant}\`?` : `Supported: ${known.join(', ')}.`,
  };
}

/** @throws StackError config.value, config.not-supported for the first option that cannot be */
export function bridgeOptions(network: Network): BridgeOptions {
  const { options, problems } = readBridgeOptions(network);
  const [problem] = problems;
  if (!problem) return options;
  const resource = `network ${network.name}`;
  const { option, code, message, hint } = problem;
  throw new StackError(code, { message: `${resource}: driver_opts.${option}: ${message}.`, hint, resource });
}
