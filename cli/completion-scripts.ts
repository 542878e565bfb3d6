/** Completion for shells: commands, flags and choices as they are in the parser; services are asked for when they are needed. */
import type { Described, Flag } from './reference.ts';

type Script = (commands: Described[], everywhere: Flag[]) => string;

const visible = (flags: Flag[]) => flags.filter(({ isHidden }) => !isHidden);
const spellings = (flags: Flag[]) =>
  visible(flags).flatMap(({ short, long }) => [long, short].filter((one) => one !== undefined));
const key = ({ path }: Described) => path.join(' ');
const takesServices = (command: Described) => command.arguments.some((argument) => argument.includes('SERVICE'));

const valuedOf = (flags: Flag[]) => spellings(flags.filter(({ value }) => value));

/** What a POSIX shell reads as this one word. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Rows of `case`: the words of each command, and those that a flag takes. */
function cases(commands: Described[], everywhere: Flag[]) {
  const row = (pattern: string, words: string[]) =>
    `    ${quoted(pattern)}) printf '%s\\n' ${words.map(quoted).join(' ')} ;;`;
  const flags = commands.map((one) => row(key(one), [...spellings(one.options), ...spellings(everywhere), '--help']));
  const names = (path: string[]) =>
    commands.filter((one) => one.path.length === path.length + 1 && key(one).startsWith(path.join(' ')));
  const groups = commands.filter(({ isGroup }) => isGroup);
  const choices = commands.flatMap((one) =>
    [...visible(one.options), ...everywhere].flatMap(({ long, short, choices: values }) =>
      values
        ? [long, short].filter((each) => each !== undefined).map((each) => row(`${key(one)} ${each}`, values))
        : [],
    ),
  );
  const top = names([]).map(({ path }) => path[0]!);
  return {
    flags: [...flags, row('', [...spellings(everywhere), '--help', '--version'])],
    members: [
      row('', top),
      row('completion', ['bash', 'zsh', 'fish']),
      ...groups.map((one) =>
        row(
          key(one),
          names(one.path).map(({ path }) => path[1]!),
        ),
      ),
    ],
    choices,
    services: commands
      .filter(takesServices)
      .map((one) => `    ${quoted(key(one))}) stack config --services 2>/dev/null ;;`),
    groups: groups.map((one) => quoted(key(one))).join('|'),
    // A short flag of everybody's may be one of a command's own that takes nothing: `logs -f`.
    valued: commands
      .flatMap((one) => {
        const own = new Set(spellings(one.options));
        const others = valuedOf(everywhere).filter((flag) => !own.has(flag));
        return [...valuedOf(one.options), ...others].map((flag) => quoted(`${key(one)} ${flag}`));
      })
      .join('|'),
    before: valuedOf(everywhere).map(quoted).join('|'),
  };
}

/** The part that bash and zsh share: words on standard output, one a line. */
function candidates(commands: Described[], everywhere: Flag[]): string {
  const { flags, members, choices, services, groups, valued, before } = cases(commands, everywhere);
  return `_stack_path() {
  # The command among the words before the one that is typed: "image ls".
  local word skip= path=
  for word in "$@"; do
    if [ -n "$skip" ]; then skip=; continue; fi
    case "$word" in
      ${before}) skip=1 ;;
      -*) ;;
      *)
        path="\${path:+$path }$word"
        case "$path" in
          ${groups}) ;;
          *) break ;;
        esac
        ;;
    esac
  done
  printf '%s' "$path"
}

_stack_candidates() {
  # The path of the command, the word before, and the beginning of this one.
  case "$1 $2" in
${choices.join('\n')}
    ${valued}) ;;
    *) case "$3" in
        -*) _stack_flags "$1" ;;
        *) _stack_members "$1"; _stack_services "$1" ;;
      esac ;;
  esac
}

_stack_flags() {
  case "$1" in
${flags.join('\n')}
  esac
}

_stack_members() {
  case "$1" in
${members.join('\n')}
  esac
}

_stack_services() {
  case "$1" in
${services.join('\n')}
  esac
}
`;
}

const bash: Script = (commands, everywhere) => `# bash completion of stack: source <(stack completion bash)
${candidates(commands, everywhere)}
_stack() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}"
  local path="$(_stack_path "\${COMP_WORDS[@]:1:COMP_CWORD-1}")"
  mapfile -t COMPREPLY < <(compgen -W "$(_stack_candidates "$path" "$before" "$current")" -- "$current")
}
complete -o default -F _stack stack
`;

const zsh: Script = (commands, everywhere) => `#compdef stack
# zsh completion of stack: source <(stack completion zsh), or a file _stack in a folder of fpath.
${candidates(commands, everywhere)}
_stack() {
  local -a found
  found=("\${(@f)$(_stack_candidates "$(_stack_path "\${words[@]:1:$((CURRENT - 2))}")" "\${words[CURRENT - 1]}" "\${words[CURRENT]}")}")
  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
if [ "$funcstack[1]" = _stack ]; then _stack "$@"; else compdef _stack stack; fi
`;

/** In fish a quoted word takes a backslash before a quote and a backslash. */
const fishWord = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

const fish: Script = (commands, everywhere) => {
  const flag = (condition: string) => (one: Flag) =>
    [
      `complete -c stack${condition}`,
      one.short ? ` -s ${one.short.slice(1)}` : '',
      one.long ? ` -l ${one.long.slice(2)}` : '',
      one.choices ? ` -xa ${fishWord(one.choices.join(' '))}` : one.value ? ' -r' : '',
      ` -d ${fishWord(one.description)}`,
    ].join('');
  const seen = ({ path }: Described) => path.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
  const lines = commands.flatMap((one) => {
    const [parent] = one.path.length > 1 ? one.path : [];
    const name = one.path.at(-1);
    const where = parent ? `__fish_seen_subcommand_from ${parent}` : '__fish_use_subcommand';
    return [
      `complete -c stack -f -n ${fishWord(where)} -a ${name} -d ${fishWord(one.summary)}`,
      ...visible(one.options).map(flag(` -n ${fishWord(seen(one))}`)),
      ...(takesServices(one)
        ? [`complete -c stack -f -n ${fishWord(seen(one))} -a '(stack config --services 2>/dev/null)'`]
        : []),
    ];
  });
  return ['# fish completion of stack', ...everywhere.map(flag('')), ...lines, ''].join('\n');
};

export const scripts: Record<'bash' | 'zsh' | 'fish', Script> = { bash, zsh, fish };
