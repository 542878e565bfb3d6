/** `--pause=false`, `--detach=true`: docker compose takes a value for every flag that is on or off; commander takes none. */
import type { Command, Option } from 'commander';

/** Makes a command take them, in front of a container's own command line at most. */
export function takeBooleans(command: Command, isInterspersed: boolean): void {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (words) => parse(withoutValues(words, command.options, isInterspersed));
}

/** `--x=true` as `--x`, `--x=false` as `--no-x` where there is one, else as nothing. */
export function withoutValues(words: string[], options: readonly Option[], isInterspersed: boolean): string[] {
  const known = (flag: string) => options.find(({ long, short }) => flag === long || flag === short);
  const done: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === '--' || (!isInterspersed && !word.startsWith('-'))) return [...done, ...words.slice(at)];
    const [, flag = word, value] = /^(--?[^=]+)=(true|false|1|0|t|f)$/i.exec(word) ?? [];
    const option = known(flag);
    const takesValue = option?.required === true || option?.optional === true;
    if (value === undefined || !option || takesValue) {
      done.push(word);
      // The next word is its value, whatever it looks like.
      if (takesValue && option.required && word === flag && at + 1 < words.length) done.push(words[++at] as string);
    } else if (/^(true|1|t)$/i.test(value)) done.push(flag);
    else if (known(`--no-${option.long?.slice(2)}`)) done.push(`--no-${option.long?.slice(2)}`);
  }
  return done;
}
