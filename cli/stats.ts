import { setTimeout as delay } from 'node:timers/promises';
import { type Usage, usageOf } from '../engine/containers/usage.ts';
import type { Engine } from '../engine/engine.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';
import { define } from './command.ts';
import { findContainers, openStack } from './containers.ts';
import { list, listFormat } from './render/output.ts';
import { binarySize, size } from './render/words.ts';
import { onEndingSignal } from './signals.ts';

interface Flags {
  all?: boolean;
  format: string;
  stream: boolean;
  trunc: boolean;
}

/** Names are those of `docker stats --format json`. */
interface Entry {
  BlockIO: string;
  CPUPerc: string;
  Container: string;
  ID: string;
  MemPerc: string;
  MemUsage: string;
  Name: string;
  NetIO: string;
  PIDs: string;
}

/** Between two looks, over which processor time is measured. */
const pauseMs = 1_000;

export const stats = define<Flags>({
  usage: 'stats [SERVICE]',
  summary: 'Show what containers use of processors, memory, network and disks',
  dryRun: 'harmless',
  examples: [
    ['stack stats --no-stream', 'Show it once.'],
    ['stack stats --no-stream --format json db', 'Print one JSON object a line, with the fields of docker.'],
  ],
  options(command) {
    command
      .option('-a, --all', 'also containers that do not run')
      .option('--format <format>', 'table, json, or a Go template', listFormat, 'table')
      .option('--no-stream', 'once, and no more')
      .option('--no-trunc', 'do not cut the ids short');
  },
  async action(context, services, { all = false, format, stream, trunc }) {
    const { engine, stack } = await openStack(context);
    const { stdout } = context;
    const look = async () => {
      const found = await findContainers(engine, stack, services, { withOneOff: true });
      return found.filter(({ status }) => all || status.pid > 0);
    };
    const ended = new AbortController();
    using _listening = onEndingSignal(() => ended.abort());
    let before = measured(engine, await look());
    while (!ended.signal.aborted) {
      await delay(pauseMs, undefined, { signal: ended.signal }).catch(() => {});
      if (ended.signal.aborted) break;
      const found = await look();
      const now = measured(engine, found);
      const entries = found.map((one) => entryOf(one, before.get(one.record.id), now.get(one.record.id), trunc));
      // As one piece: a terminal that is cleared first would flicker.
      stdout.write(`${stream && stdout.isTTY ? '\u001b[H\u001b[2J' : ''}${list(entries, format, columns)}`);
      if (!stream) return;
      before = now;
    }
  },
});

const columns = [
  { title: 'CONTAINER ID', field: 'ID' },
  { title: 'NAME', field: 'Name' },
  { title: 'CPU %', field: 'CPUPerc' },
  { title: 'MEM USAGE / LIMIT', field: 'MemUsage' },
  { title: 'MEM %', field: 'MemPerc' },
  { title: 'NET I/O', field: 'NetIO' },
  { title: 'BLOCK I/O', field: 'BlockIO' },
  { title: 'PIDS', field: 'PIDs' },
] as const satisfies { title: string; field: keyof Entry }[];

function measured({ host }: Engine, found: ObservedContainer[]): Map<string, Usage> {
  return new Map(
    found.flatMap(({ record, status }) => {
      const usage = usageOf(host, record, status);
      return usage ? [[record.id, usage] as const] : [];
    }),
  );
}

function entryOf(
  { record }: ObservedContainer,
  before: Usage | undefined,
  now: Usage | undefined,
  isCut: boolean,
): Entry {
  const id = isCut ? record.id.slice(0, 12) : record.id;
  const percent = (part: number) => `${(part * 100).toFixed(2)}%`;
  const ns = now && before ? (now.at - before.at) * 1e6 : 0;
  const { received = 0, sent = 0, read = 0, written = 0, memory = 0, memoryLimit = 0, processes = 0 } = now ?? {};
  return {
    BlockIO: `${size(read)} / ${size(written)}`,
    CPUPerc: percent(now && before && ns > 0 ? Math.max(0, now.cpu - before.cpu) / ns : 0),
    Container: id,
    ID: id,
    MemPerc: percent(memoryLimit > 0 ? memory / memoryLimit : 0),
    MemUsage: `${binarySize(memory)} / ${binarySize(memoryLimit)}`,
    Name: record.name,
    NetIO: `${size(received)} / ${size(sent)}`,
    PIDs: `${processes}`,
  };
}
