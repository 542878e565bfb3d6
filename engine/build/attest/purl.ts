/** Package URLs. Source: purl-spec, types docker, deb and apk. */
import { familiar, parseReference } from '../../images/reference.ts';

/** Percent-encoded as the specification has it: colons stay. */
const encoded = (text: string) => encodeURIComponent(text).replaceAll('%3A', ':');

export function purl(
  type: string,
  path: string[],
  version: string | undefined,
  qualifiers: Record<string, string>,
): string {
  const query = Object.entries(qualifiers)
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${encoded(value)}`);
  const at = version ? `@${encoded(version)}` : '';
  return `pkg:${type}/${path.map(encoded).join('/')}${at}${query.length > 0 ? `?${query.join('&')}` : ''}`;
}

/** Of an image, by its normalised name. `platform`: `linux/amd64`. */
export function imagePurl(name: string, platform: string): string {
  const { tag, digest } = parseReference(name);
  const repository = familiar(name)
    .replace(/@.*$/, '')
    .replace(/:[^/:]*$/, '');
  return purl('docker', repository.split('/'), tag, { platform, ...(digest && !tag ? { digest } : {}) });
}
