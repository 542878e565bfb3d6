/** EXPOSE. Source: Dockerfile reference, "EXPOSE". */
import type { ExposeInstruction } from '../../../schemas/dockerfile.ts';
import { ExpansionError, expandWords } from '../expand.ts';
import { refuse } from '../site.ts';
import type { Step } from './dispatch.ts';
import { listed } from './gofmt.ts';
import { addStep } from './state.ts';

export function dispatchExpose(instruction: ExposeInstruction, step: Step): void {
  const { state, session } = step;
  const { source, ports } = instruction;
  const words = ports.flatMap((word) => {
    try {
      return expandWords(word, state.env, { escape: session.tree.escape });
    } catch (thrown) {
      if (!(thrown instanceof ExpansionError)) throw thrown;
      return refuse(source, `EXPOSE: ${thrown.message}.`, { word, code: 'build.value' });
    }
  });
  const exposed = words.flatMap((word) => portsOf(word, instruction, step));
  state.config.ExposedPorts ??= {};
  for (const port of exposed) state.config.ExposedPorts[port] = {};
  addStep(state, `EXPOSE ${listed(exposed)}`);
}

/** `80` → `80/tcp`; `8000-8002/udp` → three. Addresses and host ports are dropped, as docker does. */
function portsOf(word: string, { source }: ExposeInstruction, { session }: Step): string[] {
  const hint = 'It reads EXPOSE 80, 443/tcp, 53/udp or 8000-8010.';
  const wrong = () => refuse(source, `EXPOSE ${word}: no port.`, { word, hint, code: 'build.value' });
  const parts = word.split(':');
  const container = parts.at(-1)!;
  if (parts.length > 1) {
    const message = `${word} names more than a container port.`;
    session.checks.report('ExposeInvalidFormat', source, message, word);
  }
  const [, first, last, protocol] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-z]*))?$/i.exec(container) ?? wrong();
  const name = protocol?.toLowerCase() || 'tcp';
  if (!['tcp', 'udp', 'sctp'].includes(name)) wrong();
  if (protocol && protocol !== name) {
    session.checks.report('ExposeProtoCasing', source, `${word}: the protocol is not in lower case.`, word);
  }
  const from = Number(first);
  const to = Number(last ?? first);
  if (from > to || to > 65535) wrong();
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${name}`);
}
