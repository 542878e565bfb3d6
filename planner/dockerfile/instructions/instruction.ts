/** One instruction's text read by its keyword. */
import type { Instruction, InstructionText } from '../../../schemas/dockerfile.ts';
import { nearest } from '../../load/suggest.ts';
import { readFlags } from '../flags.ts';
import { refuse } from '../site.ts';
import { jsonWords, splitHead } from '../words.ts';
import { readCommandInstruction, readShell } from './command.ts';
import { readAdd, readCopy } from './files.ts';
import { readFrom } from './from.ts';
import { readHealthcheck } from './healthcheck.ts';
import { readExpose, readText, readVolume } from './lists.ts';
import { readArg, readPairs } from './pairs.ts';
import type { Reading } from './reading.ts';
import { readRun } from './run.ts';

const readers: Record<string, (reading: Reading) => Instruction> = {
  ADD: readAdd,
  ARG: readArg,
  CMD: (reading) => readCommandInstruction(reading, 'cmd'),
  COPY: readCopy,
  ENTRYPOINT: (reading) => readCommandInstruction(reading, 'entrypoint'),
  ENV: (reading) => readPairs(reading, 'env'),
  EXPOSE: readExpose,
  FROM: readFrom,
  HEALTHCHECK: readHealthcheck,
  LABEL: (reading) => readPairs(reading, 'label'),
  MAINTAINER: (reading) => readText(reading, 'maintainer'),
  ONBUILD: readOnbuild,
  RUN: readRun,
  SHELL: readShell,
  STOPSIGNAL: (reading) => readText(reading, 'stopsignal'),
  USER: (reading) => readText(reading, 'user'),
  VOLUME: readVolume,
  WORKDIR: (reading) => readText(reading, 'workdir'),
};

/** Whether `<<` in an instruction's text begins a heredoc: in RUN, COPY and ADD, in ONBUILD too, not in exec form. */
export function isHeredocInstruction(text: string, escaper: string): boolean {
  const { keyword, rest } = splitHead(text, escaper);
  const name = keyword.toUpperCase();
  if (name === 'ONBUILD') return !/^onbuild\b/i.test(rest) && isHeredocInstruction(rest, escaper);
  if (name !== 'RUN' && name !== 'COPY' && name !== 'ADD') return false;
  const json = jsonWords(rest);
  return !json || 'broken' in json;
}

/** @throws StackError `build.dockerfile`, `build.value`, `build.not-supported` */
export function readInstructionOf(source: InstructionText, escaper: '\\' | '`'): Instruction {
  const head = splitHead(source.text, escaper);
  const name = head.keyword.toUpperCase();
  const read = Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (read) return read({ source, escape: escaper, name, ...head });
  const meant = nearest(head.keyword, Object.keys(readers))?.toUpperCase();
  let hint = `Instructions are ${Object.keys(readers).join(', ')}.`;
  if (meant) hint = `Did you mean ${meant}?`;
  else if (/^(?:&&|\|\||-|\.\/)/.test(head.keyword)) hint = `Does the line above miss a ${escaper} at its end?`;
  refuse(source, `Unknown instruction ${head.keyword}.`, { hint });
}

function readOnbuild(reading: Reading): Instruction {
  const { source, keyword, escape: escaper, flags } = reading;
  readFlags(source, 'ONBUILD', flags, {});
  const trigger = source.text.replace(/^\s*onbuild\s*/i, '');
  const inner = splitHead(trigger, escaper).keyword.toUpperCase();
  if (inner === '') refuse(source, 'ONBUILD needs an instruction.');
  if (['ONBUILD', 'FROM', 'MAINTAINER'].includes(inner)) refuse(source, `${inner} is no trigger of ONBUILD.`);
  // What a later build would stumble over is said now.
  const { segments } = source;
  const shift = source.text.length - trigger.length;
  const moved = segments.map((segment) => ({ ...segment, offset: segment.offset - shift }));
  readInstructionOf({ ...source, text: trigger, segments: moved }, escaper);
  const heredocs = source.heredocs.map(({ name, content }) => `\n${content}${name}`).join('');
  return { kind: 'onbuild', keyword, source, trigger: trigger.trim() + heredocs };
}
