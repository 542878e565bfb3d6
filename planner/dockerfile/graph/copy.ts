/** COPY and ADD. Source: Dockerfile reference, "COPY", "ADD"; the rules of each source are those BuildKit hands its solver. */
import type { CopyOperation, CopySource, VertexId } from '../../../schemas/build.ts';
import type { AddInstruction, CopyInstruction } from '../../../schemas/dockerfile.ts';
import { compileIgnorePattern } from '../ignore/pattern.ts';
import { complaint, refuse } from '../site.ts';
import { checkIgnored } from './copy-check.ts';
import { localSource, resolveDestination } from './copy-paths.ts';
import { expandIn, metaOf, type Step, titleOf } from './dispatch.ts';
import { isChecksum, remoteSource } from './remote.ts';
import { contextVertex, scratchVertex } from './session.ts';
import { sourceVertex } from './sources.ts';
import { addStep } from './state.ts';

export async function dispatchFiles(instruction: CopyInstruction | AddInstruction, step: Step): Promise<void> {
  const { source, keyword, link } = instruction;
  const { state, session } = step;
  const one = (word: string) => expandIn(step, source, word);
  const chown = instruction.chown === undefined ? '' : one(instruction.chown);
  const chmod = instruction.chmod === undefined ? '' : one(instruction.chmod);
  if (chmod !== '') checkMode(chmod, instruction);
  for (const pattern of instruction.exclude) {
    if (compileIgnorePattern(pattern) === 'malformed') {
      refuse(source, `${keyword} --exclude=${pattern} is no pattern.`, { word: pattern, code: 'build.value' });
    }
  }
  const written = instruction.sources.map(one);
  const destination = one(instruction.destination);
  const made = await sourcesOf(instruction, written, step);
  if (!made) return;
  const heredocs = instruction.heredocs.map(({ name, content, expand }) => ({
    type: 'inline' as const,
    name,
    content: expand ? expandIn(step, source, content, true) : content,
  }));
  const operation: CopyOperation = {
    kind: 'copy',
    sources: [...made.sources, ...heredocs],
    destination: resolveDestination(state.config.WorkingDir ?? '/', destination),
    ...(chown ? { chown } : {}),
    ...(chmod ? { chmod } : {}),
    exclude: instruction.exclude,
  };
  const meta = metaOf(step, source, titleOf(step, source));
  const { vertices } = session;
  // With a mode of its own a copy is not laid over as a tree of its own: BuildKit does not either.
  if (link && chmod === '') {
    const tree = vertices.add(operation, [scratchVertex(session, source), ...made.inputs], meta);
    state.vertex = vertices.add({ kind: 'merge' }, [state.vertex, tree], meta);
  } else state.vertex = vertices.add(operation, [state.vertex, ...made.inputs], meta);
  const words = [
    instruction.kind.toUpperCase(),
    ...(instruction.kind === 'copy' && instruction.parents ? ['--parents'] : []),
    ...(chown ? [`--chown=${chown}`] : []),
    ...(chmod ? [`--chmod=${chmod}`] : []),
    ...written,
    ...heredocs.map(({ name }) => `<<${name}`),
    destination,
  ];
  addStep(state, `${words.join(' ')} # buildkit`, state.vertex);
}

/** Octal up to 7777, or symbolic as chmod(1) has it. */
function checkMode(mode: string, { source, keyword }: CopyInstruction | AddInstruction): void {
  if (/^0*[0-7]{1,4}$/.test(mode)) return;
  if (/^[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+)*$/.test(mode)) return;
  const hint = 'It takes an octal number up to 7777, or symbols such as u=rwX,go=rX.';
  refuse(source, `${keyword} --chmod=${mode} is no mode.`, { word: '--chmod', hint, code: 'build.value' });
}

interface Made {
  sources: CopySource[];
  inputs: VertexId[];
}

async function sourcesOf(
  instruction: CopyInstruction | AddInstruction,
  written: string[],
  step: Step,
): Promise<Made | undefined> {
  const { source, keyword } = instruction;
  const { session } = step;
  const made: Made = { sources: [], inputs: [] };
  const isAdd = instruction.kind === 'add';
  const parents = !isAdd && instruction.parents;
  const checksum = isAdd && instruction.checksum ? expandIn(step, source, instruction.checksum) : '';
  if (checksum !== '') checkChecksum(checksum, written, instruction as AddInstruction);
  const local: { path: string; source: CopySource & { type: 'input' } }[] = [];
  for (const path of written) {
    const remote = remoteSource(path, instruction, checksum);
    if (remote && !isAdd) {
      const hint = 'ADD takes addresses, COPY takes files of the context, a stage or an image.';
      refuse(source, `${keyword} cannot fetch ${path}.`, { word: path, hint });
    }
    if (!remote) {
      const unpack = isAdd && (instruction.unpack ?? true);
      const entry = localSource(path, parents, unpack);
      local.push({ path: entry.needs, source: entry.source });
      made.sources.push(entry.source);
      if (!isAdd && instruction.from !== undefined) continue;
      checkIgnored(path, instruction, session);
    } else {
      const meta = metaOf(step, source, titleOf(step, source));
      const input = made.inputs.push(session.vertices.add(remote.operation, [], meta));
      made.sources.push({ ...remote.source, input });
    }
  }
  if (local.length === 0) return made;
  const needs = local.map(({ path }) => path);
  const paths = needs.includes('') ? undefined : [...new Set(needs)].sort();
  const from = isAdd ? undefined : instruction.from;
  if (from?.includes('$')) {
    const hint = 'Name a stage with FROM $VARIABLE AS name, and copy from that.';
    throw complaint(source, '--from takes no variables.', { word: from, hint });
  }
  const vertex =
    from === undefined ? contextVertex(session, paths, source) : await sourceVertex(step, from, source, paths);
  if (vertex === undefined) return undefined;
  const input = made.inputs.push(vertex);
  for (const entry of local) entry.source.input = input;
  return made;
}

function checkChecksum(checksum: string, written: string[], instruction: AddInstruction): void {
  const { source } = instruction;
  const wrong = (why: string) => refuse(source, `ADD --checksum: ${why}.`, { word: '--checksum', code: 'build.value' });
  if (written.length !== 1) wrong('it takes one source');
  const remote = remoteSource(written[0]!, instruction, '');
  if (!remote) wrong(`${written[0]} is neither an http nor a git address`);
  if (!isChecksum(checksum, remote!.operation.kind)) wrong(`"${checksum}" is no checksum of it`);
}
