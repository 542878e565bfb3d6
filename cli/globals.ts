/** The flags every command shares, and the environment variables that stand in for them. Source: docker compose's reference. */
import { type Command, InvalidArgumentError, Option } from 'commander';

const progressModes = ['auto', 'tty', 'plain', 'json', 'quiet'] as const;
const ansiModes = ['auto', 'never', 'always'] as const;
export type ProgressMode = (typeof progressModes)[number];
export type AnsiMode = (typeof ansiModes)[number];

export interface Globals {
  /** Stack files in the order given; empty: looked for from the project directory upwards. `-` is standard input. */
  file: string[];
  projectName: string | undefined;
  envFile: string[];
  profile: string[];
  projectDirectory: string | undefined;
  progress: ProgressMode;
  ansi: AnsiMode;
  /** `--parallel`, COMPOSE_PARALLEL_LIMIT: operations at once; below 1: all that can. NaN where the variable is no number. */
  parallel: number;
  /** `--dry-run`: tell what would be done, and change nothing. */
  dryRun: boolean;
  /** `--timings`: tell in the end what took longest. */
  timings: boolean;
}

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

/** `taken`: short flags that the command uses for something else, so that they keep docker compose's meaning. */
export function globalOptions(taken: string[] = []): Option[] {
  const flags = (short: string, long: string) => (taken.includes(short) ? long : `${short}, ${long}`);
  return [
    new Option(flags('-f', '--file <file>'), 'stack file (repeatable; also COMPOSE_FILE)').argParser(collect),
    new Option(flags('-p', '--project-name <name>'), 'name of the stack (also COMPOSE_PROJECT_NAME)'),
    new Option('--env-file <file>', 'file of variables (repeatable; also COMPOSE_ENV_FILES)').argParser(collect),
    new Option('--profile <profile>', 'profile to enable (repeatable; also COMPOSE_PROFILES)').argParser(collect),
    new Option('--project-directory <dir>', 'folder that relative paths start from'),
    new Option('--progress <mode>', 'how to report progress').choices(progressModes),
    new Option('--ansi <mode>', 'when to use colours and cursor control').choices(ansiModes),
    new Option('--parallel <number>', 'operations at once, -1 for no limit (also COMPOSE_PARALLEL_LIMIT)').argParser(
      parallelism,
    ),
    new Option('--dry-run', 'tell what would be done, and change nothing'),
    new Option('--timings', 'tell in the end which steps took longest'),
  ];
}

export function addGlobalOptions(program: Command): void {
  for (const option of globalOptions()) program.addOption(option);
}

/** The same behind the command's name, where the command leaves the flag free: `stack up -f other.yaml`. */
export function acceptGlobalOptions(command: Command): void {
  const taken = command.options.flatMap((option) => [option.short ?? '', option.long ?? '']);
  for (const option of globalOptions(taken)) {
    if (!taken.includes(option.long ?? '')) command.addOption(option.hideHelp());
  }
}

/**
 * Flags before and behind the command's name. The variables that stand in for files, name and profiles are the loader's
 * to read (planner/load): they may come from `.env` as well.
 */
export function readGlobals(before: Partial<Globals>, behind: Partial<Globals>, env: NodeJS.ProcessEnv): Globals {
  const both = { ...before, ...behind };
  return {
    file: [...(before.file ?? []), ...(behind.file ?? [])],
    projectName: both.projectName,
    envFile: [...(before.envFile ?? []), ...(behind.envFile ?? [])],
    profile: [...(before.profile ?? []), ...(behind.profile ?? [])],
    projectDirectory: both.projectDirectory,
    progress: both.progress ?? oneOf(progressModes, env.COMPOSE_PROGRESS) ?? 'auto',
    ansi: both.ansi ?? oneOf(ansiModes, env.COMPOSE_ANSI) ?? 'auto',
    parallel: both.parallel ?? Number(env.COMPOSE_PARALLEL_LIMIT?.trim() || -1),
    dryRun: both.dryRun ?? false,
    timings: both.timings ?? false,
  };
}

function parallelism(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function oneOf<Mode extends string>(modes: readonly Mode[], value: string | undefined): Mode | undefined {
  return modes.find((mode) => mode === value);
}
