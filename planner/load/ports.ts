/** `ports` and `expose`. Source: compose-spec 05-services.md "ports": `[[host ip:][published]:]target[/protocol]`, each with ranges. */

import { formatScalar, integer, text } from './convert.ts';
import { type Converter, collect, convertEntries, type Spot } from './spot.ts';

interface Range {
  first: number;
  last: number;
}

/** `8000` or `8000-8010`; undefined where it is neither or out of 0–65535. */
function parsePortRange(written: string): Range | undefined {
  const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(written);
  if (!found) return undefined;
  const first = Number(found[1]);
  const last = Number(found[2] ?? found[1]);
  return last <= 65535 && first <= last ? { first, last } : undefined;
}

const published: Converter = (spot) => {
  const written = formatScalar(spot.value);
  if (written === '' || parsePortRange(written)) return written === '' ? undefined : written;
  return spot.fail(`${JSON.stringify(written)} is no port or range of ports between 0 and 65535`);
};

const target: Converter = (spot) => {
  const port = integer(spot) as number | undefined;
  if (port === undefined || (port >= 1 && port <= 65535)) return port;
  return spot.fail(`${port} is no port between 1 and 65535`);
};

const protocol: Converter = (spot) => {
  const written = formatScalar(spot.value).toLowerCase();
  if (['tcp', 'udp', 'sctp'].includes(written)) return written;
  return spot.fail(`protocol ${JSON.stringify(written)} is none of tcp, udp, sctp`);
};

export const ports: Converter = (spot) =>
  spot.value === null ? undefined : collect(spot, (item) => (isMapping(item.value) ? [long(item)] : short(item)));

function isMapping(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function long(spot: Spot): object | undefined {
  const written = (spot.value as { target?: unknown }).target;
  if (written === undefined || written === null) return spot.fail('the attribute target is missing');
  return convertEntries(spot, {
    target,
    published,
    protocol,
    name: text,
    mode: text,
    host_ip: text,
    app_protocol: text,
  });
}

function short(spot: Spot): object[] {
  const written = formatScalar(spot.value);
  const wrong = (why: string) => {
    spot.fail(
      `${JSON.stringify(written)}: ${why}`,
      'Write [[HOST_IP:]PUBLISHED:]TARGET[/PROTOCOL], like 127.0.0.1:8080:80/tcp.',
    );
    return [];
  };
  const slash = written.lastIndexOf('/');
  const protocolName = slash === -1 ? 'tcp' : written.slice(slash + 1).toLowerCase();
  if (!['tcp', 'udp', 'sctp'].includes(protocolName))
    return wrong(`protocol ${protocolName} is none of tcp, udp, sctp`);
  const address = slash === -1 ? written : written.slice(0, slash);
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(address);
  const parts = (bracketed ? bracketed[2]! : address).split(':');
  const insideText = parts.pop()!;
  const outsideText = parts.pop() ?? '';
  const hostIp = bracketed ? bracketed[1]! : parts.join(':');
  if (hostIp !== '' && !isAddress(hostIp)) return wrong(`${hostIp} is no IP address`);
  const inside = parsePortRange(insideText);
  if (!inside || inside.first === 0) return wrong(`container port ${insideText} is no port or range of ports`);
  const outside = outsideText === '' ? undefined : parsePortRange(outsideText);
  if (outsideText !== '' && !outside) return wrong(`published port ${outsideText} is no port or range of ports`);
  const count = inside.last - inside.first;
  const isPool = outside !== undefined && count === 0 && outside.last > outside.first;
  if (outside && !isPool && outside.last - outside.first !== count) return wrong('the two ranges differ in length');
  return Array.from({ length: count + 1 }, (_, index) => ({
    mode: 'ingress',
    ...(hostIp === '' ? {} : { host_ip: hostIp }),
    target: inside.first + index,
    ...(outside ? { published: isPool ? outsideText : String(outside.first + index) } : {}),
    protocol: protocolName,
  }));
}

/** An IPv4 or IPv6 address as text, the latter perhaps with a zone. Source: RFC 4291 section 2.2. */
function isAddress(written: string): boolean {
  const isV4 = (text: string) => {
    const parts = text.split('.');
    return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
  };
  if (!written.includes(':')) return isV4(written);
  const [address, zone] = written.split('%') as [string, string?];
  if (zone === '') return false;
  const halves = address.split('::');
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const endsInV4 = isV4(groups.at(-1) ?? '');
  const count = groups.length + (endsInV4 ? 1 : 0);
  const hexadecimal = endsInV4 ? groups.slice(0, -1) : groups;
  const isWhole = halves.length === 1 ? count === 8 : halves.length === 2 && count < 8;
  return isWhole && hexadecimal.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group));
}

export const expose: Converter = (spot) =>
  spot.value === null
    ? undefined
    : collect(spot, (item) => {
        const written = formatScalar(item.value);
        if (parsePortRange(written.replace(/\/(?:tcp|udp|sctp)$/, ''))) return [written];
        return [
          item.fail(`${JSON.stringify(written)} is no port`, 'Write a port or a range, like 3000 or 8000-8010/udp.'),
        ];
      });
