/**
 * What tests bundled for the guest get as `vitest`: its own `expect`, and their tests one after the other, each with a
 * line of its own. Vitest itself starts in the guest, too, but takes half a minute of the emulated processor.
 */
import { GLOBAL_EXPECT, JestAsymmetricMatchers, JestChaiExpect, JestExtend, setState } from '@vitest/expect';
import * as chai from 'chai';

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);
export const { expect } = chai;
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect });
setState({}, expect as never);

type Body = (...values: unknown[]) => unknown;
const tests = new Map<string, () => unknown>();

const add = (title: string, optionsOrBody: object | Body, body?: Body, values: unknown[] = []) => {
  const run = (body ?? optionsOrBody) as Body;
  if (tests.has(title)) throw new Error(`two tests are titled: ${title}`);
  tests.set(title, () => run(...values));
};

/** `%s` and `%j` in a title, as vitest fills them. */
function filled(title: string, values: unknown[]): string {
  let at = 0;
  return title.replace(/%[sj]/g, (form) => (form === '%s' ? String(values[at++]) : JSON.stringify(values[at++])));
}

const each =
  (table: unknown[]) =>
  (title: string, optionsOrBody: object | Body, body?: Body): void => {
    for (const row of table) {
      const values = Array.isArray(row) ? row : [row];
      add(filled(title, values), optionsOrBody, body, values);
    }
  };

const skipped = (title: string) =>
  add(title, () => {
    throw new Error('it is skipped in the guest');
  });

export const test = Object.assign(
  (title: string, optionsOrBody: object | Body, body?: Body) => add(title, optionsOrBody, body),
  {
    each,
    skipIf: (isSkipped: boolean) => (isSkipped ? Object.assign(skipped, { each: () => skipped }) : test),
  },
);

async function told(title: string): Promise<string> {
  const begin = performance.now();
  try {
    const body = tests.get(title);
    if (!body) throw new Error('there is no test of this title');
    await body();
    return `ok ${title} (${Math.round(performance.now() - begin)} ms)`;
  } catch (thrown) {
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return `FAIL ${title}: ${text.replaceAll('\n', ' | ')}`;
  }
}

/**
 * Runs the tests of these titles, and tells each: `ok TITLE (N ms)` or `FAIL TITLE: WHY`. One that is skipped or not there
 * has failed.
 * @param lanes as many at once.
 */
export async function runTests(titles: string[], lanes: number): Promise<void> {
  const waiting = [...titles];
  const lane = async () => {
    for (let title = waiting.shift(); title !== undefined; title = waiting.shift()) console.log(await told(title));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
