/** RUN. Source: Dockerfile reference, "RUN", "Here-documents". */
import type { RunMount, RunOperation } from '../../../schemas/build.ts';
import type { RunInstruction } from '../../../schemas/dockerfile.ts';
import { chompTabs, parseMarker } from '../heredoc.ts';
import { cleanPath } from '../ignore/pattern.ts';
import { argumentsOf } from './commands.ts';
import { metaOf, type Step, titleOf } from './dispatch.ts';
import { MountReader } from './mounts.ts';
import { demand } from './session.ts';
import { addStep, type StageState } from './state.ts';

export async function dispatchRun(instruction: RunInstruction, step: Step): Promise<void> {
  const { source, command } = instruction;
  const { state, session } = step;
  const { settings } = session;
  const script = scriptOf(instruction);
  const args = argumentsOf({ ...command, args: script.args }, state);
  const reader = new MountReader(instruction, step);
  const mounts: RunMount[] = [...(script.mount ? [script.mount] : []), ...(await reader.read())];
  const asked = instruction.network ?? 'default';
  const network = asked === 'default' ? settings.network : asked;
  const security = instruction.security ?? (settings.privileged ? 'insecure' : 'sandbox');
  if (network === 'host') demand(session, 'network.host', source);
  if (security === 'insecure') demand(session, 'security.insecure', source);
  const hostname = settings.args.BUILDKIT_SANDBOX_HOSTNAME;
  const operation: RunOperation = {
    kind: 'run',
    args,
    env: [...state.env].map(([key, value]) => `${key}=${value}`),
    cwd: cleanPath(`/${state.config.WorkingDir ?? ''}`),
    ...(state.config.User ? { user: state.config.User } : {}),
    mounts,
    network,
    security,
    ...(hostname ? { hostname } : {}),
    hosts: settings.hosts,
    ...(settings.shmSize === undefined ? {} : { shmSize: settings.shmSize }),
    ulimits: settings.ulimits,
    platform: state.platform,
  };
  const hidden = new Set(mounts.flatMap((mount) => (mount.type === 'secret' && mount.env ? [mount.env] : [])));
  const name = titleOf(step, source, script.suffix, hidden);
  const proxy = session.proxy ? { proxy: session.proxy } : {};
  const history = historyText(args, state);
  state.vertex = session.vertices.add(operation, [state.vertex, ...reader.inputs], {
    ...metaOf(step, source, name),
    ...proxy,
  });
  addStep(state, history, state.vertex);
}

/** The text for the shell with its heredocs; one heredoc alone is the script itself, or a program where it begins `#!`. */
function scriptOf({ command, source }: RunInstruction): { args: string[]; mount?: RunMount; suffix: string } {
  const [first] = source.heredocs;
  const text = command.args[0] ?? '';
  if (command.form === 'exec' || !first) return { args: command.args, suffix: '' };
  if (!parseMarker(text)) {
    const parts = source.heredocs.map(({ content, name }) => `\n${content}${name}`);
    return { args: [text + parts.join('')], suffix: '' };
  }
  const content = first.chomp ? chompTabs(first.content) : first.content;
  const lines = first.content.trim().split(/\r?\n/);
  const suffix = ` (${lines[0]}${lines.length > 1 ? '...' : ''})`;
  if (!content.startsWith('#!')) return { args: [content], suffix };
  const target = '/dev/pipes/';
  const mount: RunMount = { type: 'inline', target, name: first.name, content, mode: 0o755 };
  return { args: [target + first.name], mount, suffix };
}

/** `RUN |2 A=1 B=2 /bin/sh -c make # buildkit`: the ARGs in scope with what they are now. */
function historyText(args: string[], state: StageState): string {
  const values = [...state.args].map(([key, value]) => `${key}=${state.env.get(key) ?? value ?? ''}`);
  const head = values.length > 0 ? [`|${values.length}`, ...values] : [];
  return `RUN ${[...head, ...args].join(' ')} # buildkit`;
}
