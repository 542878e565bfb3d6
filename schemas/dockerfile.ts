/** A Dockerfile as a syntax tree: what is written, nothing expanded. Source: Dockerfile reference. */
export interface Dockerfile {
  /** Name positions carry. */
  file: string;
  directives: Partial<Record<'syntax' | 'escape' | 'check', string>>;
  /** The character that escapes and continues lines. */
  escape: '\\' | '`';
  /** ARG before the first FROM. */
  args: ArgInstruction[];
  stages: Stage[];
}

/** FROM and what follows it. */
export interface Stage {
  from: FromInstruction;
  instructions: StageInstruction[];
}

/** One instruction's text, put together from the lines it goes over. */
export interface InstructionText {
  file: string;
  /** Without line breaks, continuation characters and comments. */
  text: string;
  /** Where parts of `text` come from: offset in it, line and column counted from 1. Ascending. */
  segments: { offset: number; line: number; column: number }[];
  start: number;
  /** Last line, heredocs included. */
  end: number;
  /** Comments directly above, without `#`. */
  comments: string[];
  /** First blank line inside, which docker takes but warns of. */
  emptyLine?: number;
  heredocs: Heredoc[];
}

export interface Heredoc {
  name: string;
  /** Content has variables (COPY and ADD): the delimiter is not quoted. */
  expand: boolean;
  /** `<<-`: leading tabs are not part of the content. */
  chomp: boolean;
  /** As written, with its line breaks. */
  content: string;
}

interface InstructionBase<K extends string> {
  kind: K;
  /** As written: `FROM`, `from`. */
  keyword: string;
  source: InstructionText;
}

/** A command in exec form (JSON) or shell form, where `args` is the one text. */
export interface CommandLine {
  form: 'exec' | 'shell';
  args: string[];
  /** Set where the text begins like JSON but is none and so goes to the shell. */
  brokenJson?: string;
}

export interface KeyValue {
  key: string;
  value: string;
  /** `KEY value` rather than `KEY=value`. */
  legacy: boolean;
}

export interface FromInstruction extends InstructionBase<'from'> {
  image: string;
  platform?: string;
  /** Lower case. */
  name?: string;
  /** As written. */
  writtenName?: string;
  /** As written: `AS`. */
  as?: string;
}

export interface ArgInstruction extends InstructionBase<'arg'> {
  args: { key: string; value?: string }[];
}

export interface EnvInstruction extends InstructionBase<'env'> {
  pairs: KeyValue[];
}

export interface LabelInstruction extends InstructionBase<'label'> {
  pairs: KeyValue[];
}

export interface RunInstruction extends InstructionBase<'run'> {
  command: CommandLine;
  /** Values of --mount, split into fields but not expanded. */
  mounts: { written: string; fields: string[] }[];
  network?: 'default' | 'none' | 'host';
  security?: 'sandbox' | 'insecure';
}

export interface FileSources {
  sources: string[];
  heredocs: Heredoc[];
  destination: string;
  chown?: string;
  chmod?: string;
  link: boolean;
  exclude: string[];
}

export interface CopyInstruction extends InstructionBase<'copy'>, FileSources {
  from?: string;
  parents: boolean;
}

export interface AddInstruction extends InstructionBase<'add'>, FileSources {
  checksum?: string;
  keepGitDirectory?: boolean;
  unpack?: boolean;
}

export interface CmdInstruction extends InstructionBase<'cmd'> {
  command: CommandLine;
}

export interface EntrypointInstruction extends InstructionBase<'entrypoint'> {
  command: CommandLine;
}

export interface HealthcheckInstruction extends InstructionBase<'healthcheck'> {
  /** Absent for NONE. */
  command?: CommandLine;
  /** Nanoseconds. */
  interval: number;
  timeout: number;
  startPeriod: number;
  startInterval: number;
  retries: number;
}

export interface ShellInstruction extends InstructionBase<'shell'> {
  shell: string[];
}

export interface ExposeInstruction extends InstructionBase<'expose'> {
  ports: string[];
}

export interface VolumeInstruction extends InstructionBase<'volume'> {
  paths: string[];
}

export interface OnbuildInstruction extends InstructionBase<'onbuild'> {
  /** The trigger as the image keeps it, heredocs included. */
  trigger: string;
}

/** An instruction of one text. */
export interface TextInstruction extends InstructionBase<'workdir' | 'user' | 'stopsignal' | 'maintainer'> {
  value: string;
}

export type StageInstruction =
  | ArgInstruction
  | EnvInstruction
  | LabelInstruction
  | RunInstruction
  | CopyInstruction
  | AddInstruction
  | CmdInstruction
  | EntrypointInstruction
  | HealthcheckInstruction
  | ShellInstruction
  | ExposeInstruction
  | VolumeInstruction
  | OnbuildInstruction
  | TextInstruction;

export type Instruction = FromInstruction | StageInstruction;
