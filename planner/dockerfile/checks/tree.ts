/** Checks that need nothing but the syntax tree. */
import type { Dockerfile, Instruction, Stage } from '../../../schemas/dockerfile.ts';
import type { Checks } from './checks.ts';

/** Runs over the whole file, used stages or not. */
export function checkTree(tree: Dockerfile, checks: Checks): void {
  const all: Instruction[] = [...tree.args, ...tree.stages.flatMap((stage) => [stage.from, ...stage.instructions])];
  for (const instruction of all) {
    const { source } = instruction;
    if (source.emptyLine !== undefined) {
      checks.report('NoEmptyContinuation', source, 'a blank line inside an instruction.', undefined, source.emptyLine);
    }
    if (instruction.kind === 'maintainer') checks.report('MaintainerDeprecated', source, 'MAINTAINER is deprecated.');
    if (instruction.kind === 'env' || instruction.kind === 'label') {
      const legacy = instruction.pairs.find((pair) => pair.legacy);
      if (legacy) checks.report('LegacyKeyValueFormat', source, `${instruction.keyword} ${legacy.key} has no "=".`);
    }
    if (instruction.kind === 'arg') for (const { key } of instruction.args) checkSecret(instruction, key, checks);
    if (instruction.kind === 'env') for (const { key } of instruction.pairs) checkSecret(instruction, key, checks);
  }
  checkCasing(all, checks);
  checkStageNames(tree.stages, checks);
  for (const stage of tree.stages) checkRepetition(stage, checks);
}

const secret = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmless = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function checkSecret({ source, keyword }: Instruction, key: string, checks: Checks): void {
  if (!secret.test(key) || harmless.test(key)) return;
  checks.report('SecretsUsedInArgOrEnv', source, `${keyword} "${key}" seems to hold a secret.`, key);
}

const isLower = (text: string) => text === text.toLowerCase();
const isUpper = (text: string) => text === text.toUpperCase();

function checkCasing(all: Instruction[], checks: Checks): void {
  const lower = all.filter(({ keyword }) => isLower(keyword)).length;
  const upper = all.filter(({ keyword }) => isUpper(keyword)).length;
  const [fits, name] = lower > upper ? [isLower, 'lower'] : [isUpper, 'upper'];
  for (const { keyword, source } of all) {
    if (fits(keyword)) continue;
    checks.report('ConsistentInstructionCasing', source, `${keyword} should be in ${name} case like most others.`);
  }
}

function checkStageNames(stages: Stage[], checks: Checks): void {
  const seen = new Set<string>();
  for (const { from } of stages) {
    const { source, keyword, as, name, writtenName } = from;
    if (name === undefined) continue;
    if (writtenName !== name) checks.report('StageNameCasing', source, `the stage name ${writtenName}.`, writtenName);
    const isOneCase = isLower(keyword) || isUpper(keyword);
    if (isOneCase && (isLower(keyword) ? !isLower(as!) : !isUpper(as!))) {
      checks.report('FromAsCasing', source, `${keyword} and ${as} differ in case.`, as);
    }
    if (name === 'scratch' || name === 'context') {
      checks.report('ReservedStageName', source, `${name} is a reserved name.`, writtenName);
    }
    if (seen.has(name)) checks.report('DuplicateStageName', source, `another stage is called ${name}.`, writtenName);
    seen.add(name);
  }
}

function checkRepetition(stage: Stage, checks: Checks): void {
  for (const kind of ['cmd', 'entrypoint', 'healthcheck'] as const) {
    const found = stage.instructions.filter((instruction) => instruction.kind === kind);
    for (const { source, keyword } of found.slice(0, -1)) {
      checks.report('MultipleInstructionsDisallowed', source, `a later ${keyword} overrides this one.`);
    }
  }
}
