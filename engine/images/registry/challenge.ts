/** WWW-Authenticate: what a registry wants to be shown. Source: RFC 9110 section 11.6.1. */
export interface Challenge {
  /** In small letters: `bearer`, `basic`. */
  scheme: string;
  /** By name in small letters. */
  parameters: Record<string, string>;
}

const parameter = /([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;
const scheme = /([A-Za-z0-9-]+)(?=\s|,|$)/y;

/** Every challenge of a header, which may have several, in order. */
export function readChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match) at = pattern.lastIndex;
    return match;
  };
  // No registry has use for more.
  while (at < header.length && challenges.length < 10) {
    take(/[\s,]+/y);
    const found = take(parameter);
    const [, name, quoted, bare] = found ?? [];
    if (name !== undefined) {
      const last = challenges.at(-1);
      if (last) last.parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
      continue;
    }
    const [, word] = take(scheme) ?? [];
    if (word === undefined) break;
    challenges.push({ scheme: word.toLowerCase(), parameters: {} });
  }
  return challenges;
}

/** The challenge to answer: a token before a password. */
export function chooseChallenge(header: string): Challenge | undefined {
  const challenges = readChallenges(header);
  return (
    challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.realm) ??
    challenges.find(({ scheme }) => scheme === 'basic')
  );
}
