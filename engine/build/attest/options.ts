/** `provenance` and `sbom` of a build, as values of the stack file and of flags. Source: compose-spec build.md; buildx, "--attest". */
import { StackError } from '../../../schemas/errors.ts';

export interface ProvenanceOptions {
  /** `min` leaves out the values of arguments, the names of secrets and the steps. */
  mode: 'min' | 'max';
  /** Of SLSA provenance. */
  version: 'v1' | 'v0.2';
  builderId: string;
  /** Said by the user, not found out. */
  isReproducible: boolean;
}

export interface Attestations {
  provenance: ProvenanceOptions | undefined;
  sbom: boolean;
}

/** Options of other outputs than images. */
const neutral = ['inline-only', 'filename'];

/** @throws StackError `build.not-supported` for what cannot be attested, `build.value` for a value that is none */
export function readAttestations(provenance: unknown, sbom: unknown): Attestations {
  return { provenance: readProvenance(fieldsOf('provenance', provenance)), sbom: readSbom(fieldsOf('sbom', sbom)) };
}

function readProvenance(fields: Record<string, string> | undefined): ProvenanceOptions | undefined {
  if (!fields) return undefined;
  const { mode = 'max', version = 'v1', 'builder-id': builderId = '', reproducible = 'false', ...rest } = fields;
  if (mode !== 'min' && mode !== 'max') throw invalid('provenance', `mode=${mode}`, 'mode is min or max');
  if (version !== 'v1' && version !== 'v0.2')
    throw invalid('provenance', `version=${version}`, 'version is v1 or v0.2');
  const isReproducible = booleanOf(reproducible);
  if (isReproducible === undefined) throw invalid('provenance', `reproducible=${reproducible}`, 'it is true or false');
  for (const key of Object.keys(rest)) {
    if (!neutral.includes(key)) {
      throw invalid('provenance', key, 'options are mode, version, builder-id and reproducible');
    }
  }
  return { mode, version, builderId, isReproducible };
}

function readSbom(fields: Record<string, string> | undefined): boolean {
  if (!fields) return false;
  const { generator, ...rest } = fields;
  if (generator) {
    throw new StackError('build.not-supported', {
      message: `sbom: the generator ${generator} is not run.`,
      hint: 'Bills of materials are made by Stack itself, from what dpkg and apk know: `sbom: true`. Run the generator over the image that was built for another one.',
    });
  }
  for (const key of Object.keys(rest)) throw invalid('sbom', key, 'it is true or false');
  return true;
}

/** `true`, `mode=max,version=v1`; undefined for what is not wanted. */
function fieldsOf(attribute: string, value: unknown): Record<string, string> | undefined {
  const text = String(value ?? '').trim();
  const isWanted = text === '' ? false : booleanOf(text);
  if (isWanted !== undefined) return isWanted ? {} : undefined;
  const fields: Record<string, string> = {};
  for (const field of text.split(',')) {
    const at = field.indexOf('=');
    if (at < 1) throw invalid(attribute, field, 'it is true, false or key=value');
    fields[field.slice(0, at).trim().toLowerCase()] = field.slice(at + 1);
  }
  const { disabled = 'false', type = attribute, ...rest } = fields;
  if (type !== attribute) throw invalid(attribute, `type=${type}`, `its type is ${attribute}`);
  return booleanOf(disabled) ? undefined : rest;
}

const booleanOf = (text: string): boolean | undefined =>
  /^(?:true|t|1|yes)$/i.test(text) ? true : /^(?:false|f|0|no)$/i.test(text) ? false : undefined;

const invalid = (attribute: string, value: string, why: string) =>
  new StackError('build.value', {
    message: `${attribute}: "${value}" is no value of it: ${why}.`,
    hint: `Check \`build.${attribute}\` in the stack file, or --${attribute}.`,
  });
