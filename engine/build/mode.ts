/** `--chmod`: octal, or chmod(1)'s symbolic form. */
import { StackError } from '../../schemas/errors.ts';

const shifts: Record<string, number> = { u: 6, g: 3, o: 0 };

/** What an entry's permission bits become. @throws StackError build.path where the text is no mode */
export function changeMode(text: string): (mode: number, isDirectory: boolean) => number {
  if (/^[0-7]{1,5}$/.test(text)) {
    const fixed = Number.parseInt(text, 8) & 0o7777;
    return () => fixed;
  }
  const clauses = text.split(',').map((clause) => clauseOf(clause, text));
  return (mode, isDirectory) => clauses.reduce((now, change) => change(now, isDirectory), mode);
}

function clauseOf(clause: string, text: string): (mode: number, isDirectory: boolean) => number {
  const [, who = '', actions = ''] = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause) ?? [];
  if (actions === '') {
    throw new StackError('build.path', {
      message: `--chmod=${text} is not a mode.`,
      hint: 'Write octal digits as in 0644, or a form of chmod(1) as in u=rwX,go=rX.',
    });
  }
  const classes = who === '' || who.includes('a') ? ['u', 'g', 'o'] : [...new Set(who)];
  const steps = [...actions.matchAll(/([-+=])([rwxXst]*|[ugo])/g)].map(([, operator, what]) => ({
    operator,
    what: what!,
  }));
  return (mode, isDirectory) => {
    let now = mode;
    for (const { operator, what } of steps) {
      let bits = 0;
      let owned = 0;
      for (const one of classes) {
        const shift = shifts[one]!;
        bits |= permissions(what, now, isDirectory) << shift;
        owned |= 7 << shift;
        if (what.includes('s') && one !== 'o') bits |= one === 'u' ? 0o4000 : 0o2000;
      }
      if (what.includes('t')) bits |= 0o1000;
      now = operator === '+' ? now | bits : operator === '-' ? now & ~bits : (now & ~owned) | bits;
    }
    return now;
  };
}

function permissions(what: string, mode: number, isDirectory: boolean): number {
  if (what in shifts) return (mode >> shifts[what]!) & 7;
  const executes = what.includes('x') || (what.includes('X') && (isDirectory || (mode & 0o111) !== 0));
  return (what.includes('r') ? 4 : 0) | (what.includes('w') ? 2 : 0) | (executes ? 1 : 0);
}
