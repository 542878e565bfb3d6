/** What refers to a manifest: signatures, bills of materials. Source: distribution-spec v1.1 "Listing Referrers". */
import { createHash } from 'node:crypto';
import { StackError } from '../../../schemas/errors.ts';
import type { Descriptor, Index } from '../../../schemas/oci-image.ts';
import { ociIndex } from '../media.ts';
import { documentLimit, type Registry } from './registry.ts';
import { readBytes } from './token.ts';

/** No manifest has as many pages. */
const pageLimit = 100;

/**
 * Descriptors of what refers to `digest`, of one type where that is given. A registry without the API is asked for the tag that
 * stands in for it. @throws StackError of the image group
 */
export async function referrers(registry: Registry, digest: string, artifactType?: string): Promise<Descriptor[]> {
  const query = artifactType ? `?artifactType=${encodeURIComponent(artifactType)}` : '';
  const found: Descriptor[] = [];
  let target: string | undefined = registry.path(`referrers/${digest}${query}`);
  for (let page = 0; target !== undefined && page < pageLimit; page++) {
    const at: string = target;
    const answer = await fetchPage(registry, digest, at);
    // Some registries answer an unknown path with 400 or 405 instead.
    if (!answer) return filter((await fallback(registry, digest)).manifests, artifactType);
    found.push(...answer.manifests);
    target = answer.next;
  }
  return filter(found, artifactType);
}

async function fetchPage(registry: Registry, digest: string, target: string) {
  const { client } = registry;
  const request = client.request(`referrers of ${digest}`);
  return client.retry(async () => {
    const answer = await client.exchange(request, target, { headers: { accept: ociIndex } }, [400, 404, 405]);
    if (answer.status !== 200) {
      answer.cancel();
      return undefined;
    }
    const index = await readIndex(await readBytes(request, answer, documentLimit));
    // A page of the web, or of a registry that knows the path for something else.
    if (!index) return undefined;
    const [, next] = /<([^>]+)>\s*;[^,]*rel="?next"?/.exec(answer.header('link') ?? '') ?? [];
    const url = next === undefined ? null : URL.parse(next, answer.url);
    return { manifests: index.manifests, next: url?.host === answer.url.host ? url.href : undefined };
  });
}

/** The tag's index; an empty one where there is none. */
async function fallback(registry: Registry, digest: string): Promise<Index & { isOther?: boolean }> {
  const empty = { schemaVersion: 2 as const, mediaType: ociIndex, manifests: [] };
  try {
    const { content } = await registry.manifest(fallbackTag(digest));
    return (await readIndex(content)) ?? { ...empty, isOther: true };
  } catch (thrown) {
    if (thrown instanceof StackError && thrown.code === 'image.not-found') return empty;
    throw thrown;
  }
}

/** Enters a manifest that was pushed, where the registry does not keep the list itself. @throws StackError */
export async function addReferrer(registry: Registry, subject: string, referrer: Descriptor): Promise<void> {
  const { isOther, ...index } = await fallback(registry, subject);
  if (isOther) {
    throw new StackError('image.registry-protocol', {
      message: `Tag ${fallbackTag(subject)} at registry ${registry.endpoint.host} is no list of referrers: it is left as it is.`,
      hint: 'The image is pushed; only the list by which it is found from its subject is not changed.',
    });
  }
  if (index.manifests.some(({ digest }) => digest === referrer.digest)) return;
  const content = Buffer.from(JSON.stringify({ ...index, manifests: [...index.manifests, referrer] }));
  await putManifest(registry, fallbackTag(subject), ociIndex, content);
}

/** Pushes a document. Answers the subject the registry took note of. @throws StackError of the image group */
export async function putManifest(
  registry: Registry,
  reference: string,
  mediaType: string,
  content: Buffer,
): Promise<{ subject: string | undefined }> {
  const { client } = registry;
  const request = client.request(`manifest ${reference}`);
  return client.retry(async () => {
    const init = {
      method: 'PUT' as const,
      headers: { 'content-type': mediaType },
      content: { size: content.length, open: () => [content] },
    };
    const answer = await client.exchange(request, registry.path(`manifests/${reference}`), init, [201, 202]);
    answer.cancel();
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    const said = answer.header('docker-content-digest');
    if (said?.startsWith('sha256:') && said !== digest) {
      throw new StackError('image.digest-mismatch', {
        message: `Registry ${registry.endpoint.host} keeps ${digest} as ${said}.`,
        hint: 'The registry, or a proxy on the way, changed it.',
      });
    }
    return { subject: answer.header('oci-subject') };
  });
}

/** `sha256-<hex>`, cut as the specification says. */
function fallbackTag(digest: string): string {
  const [algorithm = '', encoded = ''] = digest.split(':');
  const clean = (text: string, length: number) => text.slice(0, length).replace(/[^\w.-]/g, '-');
  return `${clean(algorithm, 32)}-${clean(encoded, 64)}`;
}

async function readIndex(content: Uint8Array): Promise<Index | undefined> {
  const { index } = await import('../../../schemas/oci-image.ts');
  try {
    const parsed = index.safeParse(JSON.parse(Buffer.from(content).toString('utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

function filter(manifests: Descriptor[], artifactType: string | undefined): Descriptor[] {
  return artifactType === undefined ? manifests : manifests.filter((each) => each.artifactType === artifactType);
}
