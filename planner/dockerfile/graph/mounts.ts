/** RUN --mount: fields to mounts. Source: Dockerfile reference, "RUN --mount". */
import type { RunMount, VertexId } from '../../../schemas/build.ts';
import type { RunInstruction } from '../../../schemas/dockerfile.ts';
import { parseBytes } from '../../load/bytes.ts';
import { cleanPath } from '../ignore/pattern.ts';
import { refuse } from '../site.ts';
import type { Step } from './dispatch.ts';
import { type MountFields, readMountFields } from './mount-fields.ts';
import { contextVertex } from './session.ts';
import { sourceVertex } from './sources.ts';

export class MountReader {
  /** Inputs behind the first, as mounts number them from 1. */
  readonly inputs: VertexId[] = [];
  #instruction: RunInstruction;
  #step: Step;

  constructor(instruction: RunInstruction, step: Step) {
    this.#instruction = instruction;
    this.#step = step;
  }

  /** @throws StackError */
  async read(): Promise<RunMount[]> {
    const mounts: RunMount[] = [];
    for (const mount of this.#instruction.mounts) {
      const fields = readMountFields(mount, this.#instruction.source, this.#step);
      const made = await this.#mount(fields, mount.written);
      if (made) mounts.push(made);
    }
    return mounts;
  }

  async #mount(fields: MountFields, written: string): Promise<RunMount | undefined> {
    const { source } = this.#instruction;
    const { session, state } = this.#step;
    const wrong = (why: string, hint?: string): never =>
      refuse(source, `RUN --mount=${written}: ${why}.`, { word: written, hint, code: 'build.value' });
    if (fields.type === 'secret' || fields.type === 'ssh') return this.#grant(fields, wrong);
    const target = fields.target?.startsWith('/')
      ? cleanPath(fields.target)
      : cleanPath(`/${state.config.WorkingDir ?? ''}/${fields.target ?? ''}`);
    if (target === '/') wrong('the target must not be /', 'Give a target, such as target=/src.');
    if (fields.type === 'tmpfs') {
      const size = fields.size === undefined ? undefined : (parseBytes(fields.size) ?? wrong('size is no size'));
      return { type: 'tmpfs', target, ...(size ? { size } : {}) };
    }
    const path = cleanPath(`/${fields.source ?? ''}`);
    let input: VertexId | undefined;
    if (fields.from !== undefined) {
      input = await sourceVertex(this.#step, fields.from, source);
      if (input === undefined) return undefined;
    } else if (fields.type === 'bind') {
      input = contextVertex(session, path === '/' ? undefined : [path.slice(1)], source);
    }
    const from = input === undefined ? {} : { input: this.inputs.push(input) };
    if (fields.type === 'bind') return { type: 'bind', target, ...from, source: path, readonly: fields.readonly };
    const namespace = session.settings.args.BUILDKIT_CACHE_MOUNT_NS;
    const id = fields.id || cleanPath(fields.target ?? '');
    return {
      type: 'cache',
      target,
      id: namespace ? `${namespace}/${id}` : id,
      sharing: fields.sharing ?? 'shared',
      ...from,
      source: path,
      readonly: fields.readonly,
      uid: fields.uid ?? 0,
      gid: fields.gid ?? 0,
      mode: fields.mode ?? 0o755,
    };
  }

  #grant(fields: MountFields, wrong: (why: string, hint?: string) => never): RunMount {
    const { session } = this.#step;
    const { required, uid = 0, gid = 0 } = fields;
    if (fields.from !== undefined) wrong(`a ${fields.type} mount takes no from`);
    if (fields.type === 'ssh') {
      if (fields.source !== undefined) wrong('an ssh mount takes no source', 'Name the agent with id=.');
      const id = fields.id || 'default';
      note(session.ssh, id, required);
      if (required && session.settings.ssh && !session.settings.ssh.includes(id)) {
        wrong(`no ssh agent ${id} is handed to the build`, `Give it with ssh: [${id}] below build, or --ssh ${id}.`);
      }
      const target = fields.target ? { target: fields.target } : {};
      return { type: 'ssh', id, ...target, required, uid, gid, mode: fields.mode ?? 0o600 };
    }
    if (fields.source && fields.id) wrong('a secret mount takes id or source, not both');
    const id = fields.source || fields.id || fields.target?.replace(/.*\//, '');
    if (!id) return wrong('a secret mount needs an id', 'It reads --mount=type=secret,id=name.');
    note(session.secrets, id, required);
    if (required && session.settings.secrets && !session.settings.secrets.includes(id)) {
      wrong(
        `no secret ${id} is handed to the build`,
        `Give it with secrets: [${id}] below build, or --secret id=${id}.`,
      );
    }
    const file = fields.target ?? (fields.env === undefined ? `/run/secrets/${id.replace(/.*\//, '')}` : undefined);
    // Without a name of its own the variable is called as the secret is.
    const env = fields.env === undefined ? {} : { env: fields.env || id };
    const target = file === undefined ? {} : { target: file };
    return { type: 'secret', id, ...target, ...env, required, uid, gid, mode: fields.mode ?? 0o400 };
  }
}

function note(list: Record<string, { required: boolean }>, id: string, required: boolean): void {
  list[id] = { required: required || (Object.hasOwn(list, id) && list[id]!.required) };
}
