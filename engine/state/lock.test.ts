import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import type { EngineEvent } from '../../schemas/events.ts';
import { layout } from './layout.ts';
import { lockStack } from './lock.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const host = () => ({ kernel: loadKernel(), layout: layout({ STACK_ROOT: folder, STACK_RUN: folder }) });

function request(events: EngineEvent[] = []) {
  return { stack: 'demo', command: 'stack up', emit: (event: EngineEvent) => void events.push(event) };
}

test('the second command is told who holds the lock, and has it once the first is done', async () => {
  const first = await lockStack(host(), request());
  const events: EngineEvent[] = [];
  let isSecond = false;
  const second = lockStack(host(), request(events)).then((lock) => {
    isSecond = true;
    return lock;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([isSecond, events]).toEqual([
    false,
    [{ type: 'waiting', resource: 'stack demo', because: `stack up (process ${process.pid}) works on it` }],
  ]);
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  // Free again: nothing to wait for.
  (await lockStack(host(), request(events)))[Symbol.dispose]();
  expect(events).toHaveLength(1);
});

test('other stacks are not in the way', async () => {
  using _ = await lockStack(host(), request());
  const events: EngineEvent[] = [];
  using _other = await lockStack(host(), { ...request(events), stack: 'other' });
  expect(events).toEqual([]);
});

test('a wait can be interrupted', async () => {
  const held = await lockStack(host(), request());
  const controller = new AbortController();
  const waiting = lockStack(host(), { ...request(), signal: controller.signal });
  setTimeout(() => controller.abort(), 10);
  await expect(waiting).rejects.toMatchObject({ code: 'plan.interrupted', exitCode: 130 });
  held[Symbol.dispose]();
});

test('a command that is killed lets the lock go', async () => {
  const script = `
    import { loadKernel } from ${JSON.stringify(join(import.meta.dirname, '../../native/index.ts'))};
    import { layout } from ${JSON.stringify(join(import.meta.dirname, 'layout.ts'))};
    import { lockStack } from ${JSON.stringify(join(import.meta.dirname, 'lock.ts'))};
    const folder = ${JSON.stringify(folder)};
    const host = { kernel: loadKernel(), layout: layout({ STACK_ROOT: folder, STACK_RUN: folder }) };
    await lockStack(host, { stack: 'demo', command: 'stack down', emit() {} });
    console.log('locked');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const events: EngineEvent[] = [];
  const waiting = lockStack(host(), request(events));
  expect(events).toMatchObject([{ type: 'waiting', because: `stack down (process ${child.pid}) works on it` }]);
  child.kill('SIGKILL');
  (await waiting)[Symbol.dispose]();
});
