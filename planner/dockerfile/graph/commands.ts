/** CMD, ENTRYPOINT, HEALTHCHECK, SHELL. Source: Dockerfile reference. */
import type {
  CmdInstruction,
  CommandLine,
  EntrypointInstruction,
  HealthcheckInstruction,
  ShellInstruction,
} from '../../../schemas/dockerfile.ts';
import type { Step } from './dispatch.ts';
import { duration, listed, quoted } from './gofmt.ts';
import { addStep, type StageState } from './state.ts';

/** A command as it is executed: shell form goes to SHELL. */
export function argumentsOf({ form, args }: CommandLine, state: StageState): string[] {
  if (form === 'exec') return args;
  const shell = state.config.Shell?.length ? state.config.Shell : ['/bin/sh', '-c'];
  return [...shell, args.join(' ')];
}

function checkForm({ command, keyword, source }: CmdInstruction | EntrypointInstruction, step: Step): void {
  if (command.form === 'exec' || step.state.config.Shell?.length) return;
  const why = command.brokenJson === undefined ? 'is in shell form' : `is no valid JSON (${command.brokenJson})`;
  step.session.checks.report('JSONArgsRecommended', source, `${keyword} ${why}.`, command.args[0]);
}

export function dispatchCmd(instruction: CmdInstruction, step: Step): void {
  const { state } = step;
  checkForm(instruction, step);
  const args = argumentsOf(instruction.command, state);
  state.config.Cmd = args.length > 0 ? args : null;
  state.cmdSet = true;
  addStep(state, `CMD ${quoted(args)}`);
}

/** An ENTRYPOINT takes the base image's CMD away, which was meant for another program. */
export function dispatchEntrypoint(instruction: EntrypointInstruction, step: Step): void {
  const { state } = step;
  checkForm(instruction, step);
  const args = argumentsOf(instruction.command, state);
  state.config.Entrypoint = args.length > 0 ? args : null;
  if (!state.cmdSet) state.config.Cmd = null;
  addStep(state, `ENTRYPOINT ${quoted(args)}`);
}

export function dispatchHealthcheck(instruction: HealthcheckInstruction, { state }: Step): void {
  const { command, interval, timeout, startPeriod, startInterval, retries } = instruction;
  const type = command?.form === 'exec' ? 'CMD' : 'CMD-SHELL';
  const test = command ? [type, ...command.args] : ['NONE'];
  state.config.Healthcheck = {
    Test: test,
    ...(interval ? { Interval: interval } : {}),
    ...(timeout ? { Timeout: timeout } : {}),
    ...(startPeriod ? { StartPeriod: startPeriod } : {}),
    ...(startInterval ? { StartInterval: startInterval } : {}),
    ...(retries ? { Retries: retries } : {}),
  };
  const times = `Interval:${duration(interval)} Timeout:${duration(timeout)} StartPeriod:${duration(startPeriod)}`;
  const rest = `${times} StartInterval:${duration(startInterval)} Retries:${retries}`;
  addStep(state, `HEALTHCHECK {Test:${listed(test)} ${rest}}`);
}

export function dispatchShell({ shell }: ShellInstruction, { state }: Step): void {
  state.config.Shell = shell;
  addStep(state, `SHELL ${listed(shell)}`);
}
