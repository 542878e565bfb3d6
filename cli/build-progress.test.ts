import { expect, test } from 'vitest';
import type { Vertex } from '../schemas/build.ts';
import { buildRenderer } from './build-progress.ts';
import type { Context } from './command.ts';

const vertex = { id: 'sha256:1', name: 'RUN', where: { file: 'Dockerfile', start: 1, end: 1 } } as unknown as Vertex;

test.each(['plain', 'json'])('%s: a character that comes in two pieces is one', (progress) => {
  const written: string[] = [];
  const stderr = { write: (text: string) => written.push(text) };
  const show = buildRenderer({ stdout: stderr, stderr, globals: { progress } } as unknown as Context, false).of('web');
  for (const bytes of [Buffer.from([0xc3]), Buffer.from([0xa4, 0x0a])]) show({ type: 'output', vertex, bytes });
  show({ type: 'done', vertex, ms: 1, isCached: false });
  expect(written.join('')).toContain('ä');
  expect(written.join('')).not.toContain('�');
});
