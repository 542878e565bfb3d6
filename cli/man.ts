import { define } from './command.ts';
import { type Described, describedCommands, type Flag, globalFlags } from './reference.ts';

export const man = define({
  usage: 'man',
  summary: 'Print the manual page of stack',
  dryRun: 'harmless',
  examples: [
    ['stack man | man -l -', 'Read the manual page.'],
    ['stack man > /usr/local/share/man/man1/stack.1', 'Install it.'],
  ],
  async action({ stdout }) {
    stdout.write(manualPage(await describedCommands(), globalFlags()));
  },
});

/** Source: man-pages(7), groff_man(7). */
export function manualPage(commands: Described[], everywhere: Flag[]): string {
  return [
    '.TH STACK 1 "" Stack "User Commands"',
    '.SH NAME',
    'stack \\- run stacks of containers described by Compose files',
    '.SH SYNOPSIS',
    '.B stack',
    '[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]',
    '.SH OPTIONS',
    'Every command takes these, in front of its name or behind it.',
    ...everywhere.flatMap(option),
    '.SH COMMANDS',
    ...commands.filter(({ isGroup }) => !isGroup).flatMap(section),
    '.SH EXIT STATUS',
    '0 for success and 1 for failure. \\fBrun\\fR and \\fBexec\\fR end with the exit status of their command, 125 to 127 where',
    'it could not be run. \\fBplan\\fR ends with 2 where something would change. 128 and the number of a signal that ended it.',
    '',
  ].join('\n');
}

function section({ path, summary, arguments: words, options, examples }: Described): string[] {
  const flags = options.filter(({ isHidden }) => !isHidden);
  const synopsis = ['stack', ...path, ...(flags.length > 0 ? ['[options]'] : []), ...words].join(' ');
  return [
    `.SS "${text(synopsis)}"`,
    text(`${summary}.`),
    ...flags.flatMap(option),
    ...examples.flatMap(([line, does]) => ['.PP', '.EX', text(line), '.EE', '.RS', text(does), '.RE']),
  ];
}

function option({ short, long, value, choices, description }: Flag): string[] {
  const name = [short, long].filter((one) => one !== undefined).join(', ');
  const of = choices ? ` (${choices.join(', ')})` : '';
  return ['.TP', `.B ${text(`${name}${value ? ` ${value}` : ''}`)}`, text(`${description}${of}`)];
}

/** A backslash is roff's own, a hyphen would become a typographic one, and a dot or quote first makes a request. */
function text(words: string): string {
  const escaped = words.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('"', '\\(dq');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
