/** ociVersion, annotations and hooks. Source: runtime-spec config.md "Specification version", "Annotations"; semver.org 2.0.0. */
import { type Findings, shown } from './findings.ts';
import type { Rule } from './rule.ts';

/** The newest version whose every property Stack knows. */
export const newestVersion = '1.3.0';
/** The oldest a config.json may name. */
export const oldestVersion = '1.0.0';

const number = '(?:0|[1-9]\\d*)';
const identifier = `(?:${number}|\\d*[A-Za-z-][0-9A-Za-z-]*)`;
const semver = new RegExp(
  `^(${number})\\.(${number})\\.${number}(?:-${identifier}(?:\\.${identifier})*)?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);

const version: Rule = {
  reads: ['ociVersion'],
  check({ ociVersion }, findings) {
    const [, major, minor] = semver.exec(ociVersion.length > 256 ? '' : ociVersion) ?? [];
    if (major === undefined)
      findings.refuse('ociVersion', `must be a semantic version such as 1.3.0: ${shown(ociVersion)}`);
    else if (major !== '1') {
      findings.refuse('ociVersion', `is ${ociVersion}; Stack knows versions ${oldestVersion} to ${newestVersion}`);
    } else if (Number(minor) > 3) {
      // Properties may be missing here that the bundle relies on; an image of tomorrow runs all the same.
      findings.warn('ociVersion', `is ${ociVersion}, newer than ${newestVersion}: properties new in it are ignored`);
    }
  },
};

const annotations: Rule = {
  reads: ['annotations'],
  check(spec, findings: Findings) {
    if (Object.hasOwn(spec.annotations ?? {}, '')) findings.refuse('annotations', 'has an empty name');
  },
};

export const versionRules: Rule[] = [version, annotations];
