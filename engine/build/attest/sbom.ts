/** A bill of materials: SPDX 2.3 as JSON. Source: spdx.github.io/spdx-spec v2.3. */
import { createHash } from 'node:crypto';
import packageJson from '../../../package.json' with { type: 'json' };
import type { Found, Package } from './packages.ts';

export interface Described {
  /** Normalised name of the image, its package URL and the digest of its manifest. */
  name: string;
  purl: string;
  digest: string;
  /** RFC 3339. */
  created: string;
  found: Found;
}

const none = 'NOASSERTION';

export function sbomOf({ name, purl, digest, created, found }: Described): {
  predicateType: string;
  predicate: object;
} {
  const image = {
    SPDXID: 'SPDXRef-image',
    name,
    versionInfo: digest,
    primaryPackagePurpose: 'CONTAINER',
    ...common,
    externalRefs: [reference(purl)],
  };
  const packages = found.packages.map(describe);
  return {
    predicateType: 'https://spdx.dev/Document',
    predicate: {
      spdxVersion: 'SPDX-2.3',
      dataLicense: 'CC0-1.0',
      SPDXID: 'SPDXRef-DOCUMENT',
      name,
      // Unique to the content, and the same for the same content.
      documentNamespace: `https://spdx.org/spdxdocs/stack-${digest.replace(/^.*:/, '')}`,
      creationInfo: {
        created: created.replace(/\.\d+Z$/, 'Z'),
        creators: [`Tool: stack-${packageJson.version}`],
        comment: 'Packages that dpkg and apk have on record; nothing else was looked for.',
      },
      packages: [image, ...packages],
      relationships: [
        { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: image.SPDXID },
        ...packages.map(({ SPDXID }) => {
          return { spdxElementId: image.SPDXID, relationshipType: 'CONTAINS', relatedSpdxElement: SPDXID };
        }),
      ],
    },
  };
}

const common = {
  downloadLocation: none,
  filesAnalyzed: false,
  licenseConcluded: none,
  licenseDeclared: none,
  copyrightText: none,
};

const reference = (purl: string) => ({
  referenceCategory: 'PACKAGE-MANAGER',
  referenceType: 'purl',
  referenceLocator: purl,
});

function describe({ name, version, purl, supplier, homepage, license }: Package) {
  const id = createHash('sha256').update(purl).digest('hex').slice(0, 16);
  return {
    SPDXID: `SPDXRef-package-${id}`,
    name,
    versionInfo: version,
    ...common,
    ...(supplier ? { supplier: supplierOf(supplier) } : {}),
    ...(homepage && URL.canParse(homepage) ? { homepage } : {}),
    // What packagers write is often no license expression of SPDX.
    ...(license ? { licenseComments: `The package says: ${license}` } : {}),
    externalRefs: [reference(purl)],
  };
}

/** `Name <address>` as `Organization: Name (address)`. */
function supplierOf(maintainer: string): string {
  const [, name, address] = /^(.*?)\s*<([^<>]*)>$/.exec(maintainer) ?? [];
  return `Organization: ${name ? `${name} (${address})` : maintainer}`;
}
