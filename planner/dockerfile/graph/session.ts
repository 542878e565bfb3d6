/** What all stages of one platform share while their graph is made. */
import type { BuildContext, BuildSettings, BuildWorld, HttpOperation, VertexId } from '../../../schemas/build.ts';
import type { Dockerfile, InstructionText } from '../../../schemas/dockerfile.ts';
import type { Platform } from '../../../schemas/oci-image.ts';
import type { Problems } from '../../load/problems.ts';
import type { Checks } from '../checks/checks.ts';
import { complaint } from '../site.ts';
import type { Vertices } from './vertices.ts';

export interface BuildRequest {
  tree: Dockerfile;
  settings: BuildSettings;
  /** The main context; `ignore` of a local one are the patterns in force. */
  context: BuildContext;
  world: BuildWorld;
  /** Look at every stage, for `--check`: nothing of them is in the graph but what the target needs. */
  everyStage?: boolean;
}

export interface Session extends BuildRequest {
  platform: Platform;
  /** ARG before the first FROM, and the platform's. */
  globals: Map<string, string>;
  proxy: Record<string, string> | undefined;
  epoch: number | undefined;
  vertices: Vertices;
  problems: Problems;
  checks: Checks;
  secrets: Record<string, { required: boolean }>;
  ssh: Record<string, { required: boolean }>;
  entitlements: Set<string>;
}

export const rangeOf = ({ file, start, end }: InstructionText) => ({ file, start, end });

/** Marks a right as needed, and complains where it was not given. */
export function demand(session: Session, entitlement: string, source: InstructionText): void {
  session.entitlements.add(entitlement);
  const { entitlements, network, privileged } = session.settings;
  if (entitlements.includes(entitlement)) return;
  if (entitlement === 'network.host' && network === 'host') return;
  if (entitlement === 'security.insecure' && privileged) return;
  const word = entitlement === 'network.host' ? '--network' : '--security';
  const hint = `Grant it in the stack file, entitlements: [${entitlement}] below build, or with --allow ${entitlement}.`;
  const message = `This step needs ${entitlement}, which the build was not granted.`;
  session.problems.errors.push(complaint(source, message, { code: 'build.entitlement', word, hint }));
}

/** The main context as far as `paths` go; without, all of it. */
export function contextVertex(session: Session, paths: string[] | undefined, source: InstructionText): VertexId {
  const meta = { name: '[internal] load build context', where: rangeOf(source) };
  const { context } = session;
  if ('kind' in context) {
    return context.kind === 'archive'
      ? archiveVertex(session, context.file, source, meta.name)
      : session.vertices.add(context, [], meta);
  }
  const operation = { kind: 'source.context' as const, name: 'context', ...context, ...(paths ? { paths } : {}) };
  return session.vertices.add(operation, [], meta);
}

export function scratchVertex(session: Session, source: InstructionText): VertexId {
  return session.vertices.add({ kind: 'scratch' }, [], { name: 'FROM scratch', where: rangeOf(source) });
}

/** What an archive that is fetched holds; where it is none, the file itself. */
export function archiveVertex(session: Session, file: HttpOperation, source: InstructionText, name: string): VertexId {
  const meta = { name, where: rangeOf(source) };
  const archive = {
    type: 'input' as const,
    input: 1,
    path: `/${file.filename}`,
    wildcard: false,
    emptyAllowed: false,
    followSymlinks: false,
    contentsOnly: false,
    unpack: true,
  };
  const inputs = [scratchVertex(session, source), session.vertices.add(file, [], meta)];
  return session.vertices.add({ kind: 'copy', sources: [archive], destination: '/', exclude: [] }, inputs, meta);
}
