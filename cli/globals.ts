/** The flags every command shares, and the environment variables that stand in for them. Source: docker compose's reference. */
import { type Command, Option } from 'commander';

export type ProgressMode = 'auto' | 'tty' | 'plain' | 'json' | 'quiet';
export type AnsiMode = 'auto' | 'never' | 'always';

export interface Globals {
  /** Stack files in the order given; empty: looked for from the project directory upwards. `-` is standard input. */
  file: string[];
  projectName?: string;
  envFile: string[];
  profile: string[];
  projectDirectory?: string;
  progress: ProgressMode;
  ansi: AnsiMode;
}

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

/** `taken`: short flags that the command uses for something else, so that they keep docker compose's meaning. */
function options(taken: string[]): Option[] {
  const flags = (short: string, long: string) => (taken.includes(short) ? long : `${short}, ${long}`);
  return [
    new Option(flags('-f', '--file <file>'), 'stack file (repeatable; also COMPOSE_FILE)').argParser(collect),
    new Option(flags('-p', '--project-name <name>'), 'name of the stack (also COMPOSE_PROJECT_NAME)'),
    new Option('--env-file <file>', 'file of variables (repeatable; also COMPOSE_ENV_FILES)').argParser(collect),
    new Option('--profile <profile>', 'profile to enable (repeatable; also COMPOSE_PROFILES)').argParser(collect),
    new Option('--project-directory <dir>', 'folder that relative paths start from'),
    new Option('--progress <mode>', 'how to report progress').choices(['auto', 'tty', 'plain', 'json', 'quiet']),
    new Option('--ansi <mode>', 'when to use colours and cursor control').choices(['auto', 'never', 'always']),
  ];
}

export function addGlobalOptions(program: Command): void {
  for (const option of options([])) program.addOption(option);
}

/** The same behind the command's name, where the command leaves the flag free: `stack up -f other.yaml`. */
export function acceptGlobalOptions(command: Command): void {
  const taken = command.options.flatMap((option) => [option.short ?? '', option.long ?? '']);
  for (const option of options(taken)) {
    if (!taken.includes(option.long ?? '')) command.addOption(option.hideHelp());
  }
}

/** Flags before and behind the command's name, then the environment. */
export function readGlobals(before: Partial<Globals>, behind: Partial<Globals>, env: NodeJS.ProcessEnv): Globals {
  const list = (flags: string[] | undefined, more: string[] | undefined, value: string | undefined, by: string) => {
    const given = [...(flags ?? []), ...(more ?? [])];
    return given.length > 0 ? given : (value ?? '').split(by).filter(Boolean);
  };
  const projectName = behind.projectName ?? before.projectName ?? (env.COMPOSE_PROJECT_NAME || undefined);
  const projectDirectory = behind.projectDirectory ?? before.projectDirectory;
  const progress = behind.progress ?? before.progress ?? (env.COMPOSE_PROGRESS as ProgressMode | undefined);
  const ansi = behind.ansi ?? before.ansi ?? (env.COMPOSE_ANSI as AnsiMode | undefined);
  return {
    file: list(before.file, behind.file, env.COMPOSE_FILE, env.COMPOSE_PATH_SEPARATOR || ':'),
    ...(projectName === undefined ? {} : { projectName }),
    envFile: list(before.envFile, behind.envFile, env.COMPOSE_ENV_FILES, ','),
    profile: list(before.profile, behind.profile, env.COMPOSE_PROFILES, ','),
    ...(projectDirectory === undefined ? {} : { projectDirectory }),
    progress: progress ?? 'auto',
    ansi: ansi ?? 'auto',
  };
}
