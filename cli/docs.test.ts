/** docs/commands.md says of every flag that the parser has what it is, and of no flag that it has not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describedCommands, globalFlags } from './reference.ts';

const text = readFileSync(join(import.meta.dirname, '../docs/commands.md'), 'utf8');
const cells = (line: string) =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const [command = '', verdict = '', remark = '', flags = ''] = cells(line);
    return {
      command: command.slice(1, -1),
      verdict,
      remark,
      flags: [...flags.matchAll(/`([^`]+)`/g)].map(([, flag]) => flag!),
    };
  });

test('the table can be read, and every verdict but the plain ones has its reason', () => {
  expect(rows.length).toBeGreaterThan(50);
  for (const { command, verdict, remark } of rows) {
    expect(['same', 'better', 'refused', 'ours'], command).toContain(verdict);
    if (verdict === 'better' || verdict === 'refused') expect(remark, command).not.toBe('');
  }
});

test('the table and the parser have the same commands and flags', async () => {
  const everywhere = { path: ['(every command)'], options: globalFlags(), isGroup: false };
  const parsed = [everywhere, ...(await describedCommands())].filter(({ isGroup }) => !isGroup);
  for (const { path, options } of parsed) {
    const command = path.join(' ');
    const own = rows.filter((row) => row.command === command);
    expect(own, command).not.toEqual([]);
    const flags = options.map(({ long, short }) => long ?? short);
    expect([...new Set(own.flatMap((row) => row.flags))], command).toEqual(expect.arrayContaining(flags));
    const had = own.filter(({ verdict }) => verdict !== 'refused').flatMap((row) => row.flags);
    expect(flags, command).toEqual(expect.arrayContaining(had));
    expect(had.length, `${command}: a flag stands there once`).toBe(new Set(had).size);
  }
  const names = new Set(parsed.map(({ path }) => path.join(' ')));
  const others = rows.filter(({ command, verdict }) => verdict !== 'refused' && !names.has(command));
  expect(others).toEqual([]);
});
