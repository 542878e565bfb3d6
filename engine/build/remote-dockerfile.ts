/** Dockerfiles that are fetched: out of a repository or an archive, or by an address of their own. */
import { closeSync, constants, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { vertexId } from '../../planner/dockerfile/graph/vertices.ts';
import type { BuildContext, GitOperation, HttpOperation, Vertex } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import type { BuildRequest } from './builds.ts';
import { type DockerfileText, fetchedDockerfile } from './dockerfile.ts';
import type { Item } from './select.ts';
import type { Sources } from './sources.ts';

/** Bytes of a Dockerfile that is fetched. */
const textLimit = 4 * 1024 * 1024;

/** The context, and the Dockerfile in it. @throws StackError of fetching, unpacking and reading */
export async function fetchedContext(
  verbs: FilesystemVerbs,
  sources: Sources,
  request: BuildRequest,
  remote: GitOperation | HttpOperation,
): Promise<{ context: BuildContext; source: DockerfileText }> {
  const { inline, signal } = request;
  const written = inline === undefined ? undefined : { text: inline, file: 'dockerfile_inline' };
  if (remote.kind === 'source.git') {
    const source = written ?? fetchedDockerfile(verbs, await directoryOf(sources, remote), request);
    return { context: remote, source };
  }
  const directory = await directoryOf(sources, remote);
  const root = openSync(directory, constants.O_DIRECTORY);
  try {
    const { isArchive, unpack } = await import('./unpack.ts');
    const item: Item = {
      source: { root, isContext: true },
      path: remote.filename,
      name: remote.url,
      isDirectory: false,
      filter: { includes: () => true, enters: () => true },
    };
    if (!isArchive(verbs, item)) return { context: remote, source: written ?? textAt(directory, remote) };
    const context = { kind: 'archive' as const, file: remote };
    if (written) return { context, source: written };
    const unpacked = `${directory}-unpacked`;
    mkdirSync(unpacked, { mode: 0o700, recursive: true });
    const fd = openSync(unpacked, constants.O_DIRECTORY);
    try {
      const nowNs = BigInt(Date.now()) * 1_000_000n;
      await unpack({ verbs, root: fd, destination: '/', owner: undefined, chmod: undefined, nowNs, signal }, item, fd);
    } finally {
      closeSync(fd);
    }
    return { context, source: fetchedDockerfile(verbs, unpacked, request) };
  } finally {
    closeSync(root);
  }
}

/** `dockerfile` of a stack file that is an address. */
export async function dockerfileAt(sources: Sources, file: HttpOperation): Promise<DockerfileText> {
  return textAt(await directoryOf(sources, file), file);
}

function textAt(directory: string, { url, filename }: HttpOperation): DockerfileText {
  const path = join(directory, filename);
  if (statSync(path).size <= textLimit) return { text: readFileSync(path, 'utf8'), file: url };
  throw new StackError('build.dockerfile', {
    message: `${url} is no archive, and too long for a Dockerfile.`,
    hint: 'Archives are tar files, plain or packed by gzip, bzip2, xz or zstd.',
  });
}

/** The vertex of the graph has this id too, so that it is fetched once. */
async function directoryOf(sources: Sources, operation: GitOperation | HttpOperation): Promise<string> {
  const where = { file: '', start: 1, end: 1 };
  const vertex: Vertex = { id: vertexId(operation, []), operation, inputs: [], name: '', where };
  return (await sources.directory(vertex))!.path;
}
