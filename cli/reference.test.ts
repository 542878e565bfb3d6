/** What is made of the parser: completion that a real bash runs, and a manual page. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { scripts } from './completion-scripts.ts';
import { manualPage } from './man.ts';
import { describedCommands, globalFlags } from './reference.ts';

const everything = await describedCommands();

test('bash completes commands, their members, flags and the words that a flag takes', () => {
  const script = `${scripts.bash(everything, globalFlags())}
stack() { [ "$*" = "config --services" ] && printf '%s\\n' web worker db; }
complete_line() {
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _stack
  echo "\${COMPREPLY[*]}"
}
complete_line stack unp
complete_line stack image in
complete_line stack -p image ps --form
complete_line stack up --pull n
complete_line stack logs -f w
complete_line stack completion z
complete_line stack ps --format ''`;
  const lines = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n');
  expect(lines).toEqual(['unpause', 'inspect', '--format', 'never', 'web worker', 'zsh', '', '']);
});

test('the scripts of zsh and fish know every command', () => {
  for (const shell of ['zsh', 'fish'] as const) {
    const script = scripts[shell](everything, globalFlags());
    for (const { path, isGroup } of everything) if (!isGroup) expect(script).toContain(path.at(-1));
  }
  expect(() => execFileSync('bash', ['-n'], { input: scripts.bash(everything, globalFlags()) })).not.toThrow();
});

test('the manual page has every command, and no line that roff would take for a request', () => {
  const page = manualPage(everything, globalFlags());
  for (const { path, isGroup } of everything)
    if (!isGroup) expect(page).toContain(`.SS "stack ${path.join(' ').replaceAll('-', '\\-')}`);
  const requests = page.split('\n').flatMap((line) => /^[.'](\S*)/.exec(line)?.[1] ?? []);
  expect([...new Set(requests)].sort()).toEqual(['B', 'EE', 'EX', 'PP', 'RE', 'RS', 'SH', 'SS', 'TH', 'TP']);
});
