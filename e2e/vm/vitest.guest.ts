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
const tests: [title: string, body: () => unknown][] = [];

const add = (title: string, optionsOrBody: object | Body, body?: Body, values: unknown[] = []) => {
  const run = (body ?? optionsOrBody) as Body;
  tests.push([title, () => run(...values)]);
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

const nothing = Object.assign(() => {}, { each: () => () => {} });

export const test = Object.assign(
  (title: string, optionsOrBody: object | Body, body?: Body) => add(title, optionsOrBody, body),
  {
    each,
    skipIf: (isSkipped: boolean) => (isSkipped ? nothing : test),
  },
);

/** @param isChosen by title. */
export async function runTests(isChosen: (title: string) => boolean): Promise<void> {
  const chosen = tests.filter(([title]) => isChosen(title));
  for (const [title, body] of chosen) {
    const begin = performance.now();
    try {
      await body();
      console.log(`ok ${title} (${Math.round(performance.now() - begin)} ms)`);
    } catch (thrown) {
      const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      console.log(`FAIL ${title}: ${text.replaceAll('\n', ' | ')}`);
    }
  }
  console.log(`all ${chosen.length} done`);
}
