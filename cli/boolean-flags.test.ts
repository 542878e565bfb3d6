import { Command } from 'commander';
import { expect, test } from 'vitest';
import { withoutValues } from './boolean-flags.ts';

const { options } = new Command()
  .option('-p, --pause')
  .option('--no-pause')
  .option('-T, --no-tty')
  .option('-e, --env <pair>')
  .option('-d, --detach');

test.each<[string, string]>([
  ['--pause=false web', '--no-pause web'],
  ['-p=true web', '-p web'],
  ['--detach=false --detach=1 web', '--detach web'],
  ['-T=false --no-tty=true web', '--no-tty web'],
  ['-e --detach=false --env=x=false web', '-e --detach=false --env=x=false web'],
  ['--unknown=false -- --detach=false', '--unknown=false -- --detach=false'],
])('%s', (line, read) => {
  expect(withoutValues(line.split(' '), options, true).join(' ')).toBe(read);
});

test("a container's own command line stays as it is", () => {
  const words = ['-d=true', 'web', 'tool', '--detach=false'];
  expect(withoutValues(words, options, false)).toEqual(['-d', 'web', 'tool', '--detach=false']);
});
