/** Damaged stack files: what they are made from, how they are damaged, and what has to be true of each answer. */
import { StackError } from '../../schemas/errors.ts';
import { formatError } from '../diagnose.ts';
import { explain } from '../explain/explain.ts';
import { topology } from '../topology/topology.ts';
import { loadFiles } from './fixture.ts';
import { canonicalJson, type Skip } from './load.ts';

/** Something of everything, for the mutations to break. */
const seeds = [
  `name: a
x-base: &base {image: "x:\${TAG:-1}", environment: &env {A: 1, B: "\${B:?no}", C: }, labels: [l=1, m]}
services:
  web:
    <<: *base
    build: {context: ./a, args: [X=1], ssh: [default], secrets: [s], additional_contexts: {b: "service:db"}}
    command: sh -c "echo $$HOME \${X-y}" && z
    depends_on: {db: {condition: service_healthy, restart: true, required: false}}
    ports: ["127.0.0.1:8000-8001:80-81/udp", 90, {target: 1, published: "2-3", mode: host}]
    volumes: ["data:/d:ro,z", "./x:/y", /anon, {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0o755}}]
    networks: {front: {aliases: [q], ipv4_address: 10.0.0.2}, default: }
  db: {image: y, healthcheck: {test: [CMD, x], interval: 1m30s, retries: 3}, profiles: [p]}
volumes: {data: {driver: local, driver_opts: {o: bind, device: ./d}}}
networks: {front: {ipam: {config: [{subnet: 10.0.0.0/8, gateway: 10.0.0.1}]}}}
secrets: {s: {environment: HOME}}
`,
  `include:
  - {path: [sub/other.yaml], env_file: e.env, project_directory: .}
services:
  a:
    extends: {file: sub/other.yaml, service: base}
    env_file: [e.env, {path: gone.env, required: false, format: raw}]
    label_file: e.env
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 1g, pids: 9}, reservations: {devices: [{capabilities: [gpu], count: all}]}}, restart_policy: {condition: any, delay: 1s}}
    ulimits: {nofile: {soft: 1, hard: 2}, core: unlimited}
    extra_hosts: {h: ["::1", 1.1.1.1]}
    sysctls: [a=1]
    logging: {driver: local, options: {a: 1}}
    develop: {watch: [{path: ., action: sync, target: /x, ignore: [b]}]}
  b: {extends: a, network_mode: "service:a", configs: [{source: c, mode: 0440}], gpus: all, provider: {type: t, options: {o: [1]}}}
  c: {image: z, links: ["a:q"], volumes_from: [b], post_start: [{command: x}], pre_start: [{command: y}], models: {m: {endpoint_var: E}}}
configs: {c: {content: "\${B}"}}
models: {m: {model: ai/x, context_size: 1}}
`,
  `services:
  a:
    image: x
    command: |
      one
        two
    environment:
    - A=1
    - "B=\${A:-\${B:+\${C-x}}}"
    blkio_config: {weight: 1, device_read_bps: [{path: /dev/a, rate: 1m}]}
    ports: !override ["80:80"]
    dns: !reset []
    healthcheck: {disable: true}
    cap_add: [A, A]
    stop_grace_period: 1h2m3.5s
    mem_limit: 1.5gb
    expose: ["1-2/tcp"]
    tmpfs: /run
    devices: [/dev/a:/dev/b:rw]
---
services: {a: {labels: {l: 'it''s', "m\\u00e9": "\\x41"}}}
`,
];
const other = `services:
  base: {image: w, environment: {T: "\${T:-t}"}, volumes: ["./v:/v"], healthcheck: {test: x}}
volumes: {inner: }
`;

const pieces = [
  ...[
    '\n',
    '\r\n',
    '"',
    "'",
    '$',
    '$$',
    '${',
    '}',
    '${A:-',
    ':',
    ': ',
    '- ',
    '? ',
    ',',
    '[',
    ']',
    '{',
    '}',
    ' ',
    '\t',
    '#',
    ' #',
  ],
  ...[
    '|',
    '>',
    '%',
    '@',
    '`',
    '&a ',
    '*a',
    '*base',
    '<<: *env',
    '<<: [*env, *base]',
    '!reset ',
    '!override ',
    '!!null ',
    '!!str ',
    '!x ',
  ],
  ...[
    '---\n',
    '...\n',
    '\0',
    '\uFEFF',
    'é',
    '\uD800',
    '😀',
    '\u2028',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
  ],
];
/** Values to put in the place of others. */
const values = [
  ...[
    '',
    'null',
    '~',
    'true',
    'no',
    '0',
    '-1',
    '1.5',
    '1e999',
    '.nan',
    '0x7f',
    '0o17',
    '99999999999999999999',
    '""',
    "''",
  ],
  ...[
    '[]',
    '{}',
    '[[]]',
    '[null]',
    '[1, x]',
    '{a: 1}',
    '{a: null}',
    '[{a: 1}]',
    '{null: 1}',
    '{? {a: b} : c}',
    '"${A}"',
    '"${A:?}"',
  ],
  ...[
    '"a:b:c:d"',
    '"../../.."',
    '"/"',
    '":"',
    '"="',
    '"a=b"',
    '"service:a"',
    '"[::1]:1:1"',
    '"0-65535"',
    'all',
    'unlimited',
    '1w',
    '"~"',
  ],
];

export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % below;
  };
}

type Next = ReturnType<typeof random>;

function pick<T>(list: readonly T[], next: Next): T {
  return list[next(list.length)]!;
}

export function damaged(next: Next): string {
  let text = pick(seeds, next);
  if (next(6) === 0) text += pick(seeds, next);
  for (let times = 1 + next(3); times > 0; times--) {
    const at = next(text.length + 1);
    const kind = next(12);
    if (kind === 0) text = text.slice(0, at) + text.slice(at + 1 + next(12));
    else if (kind === 1) text = text.slice(0, at) + pick(pieces, next) + text.slice(at);
    else if (kind === 2) text = text.slice(0, at) + pick(pieces, next).repeat(1 + next(4)) + text.slice(at + 1);
    else if (kind === 3) text = withLine(text, next);
    else text = withValue(text, next);
    if (text.length > 6000) text = text.slice(0, 6000);
  }
  return text;
}

/** A line again, elsewhere or deeper. */
function withLine(text: string, next: Next): string {
  const lines = text.split('\n');
  const line = pick(lines, next);
  lines.splice(next(lines.length), next(2), ' '.repeat(next(4)) + line);
  return lines.join('\n');
}

/** Another value behind one of the colons. */
function withValue(text: string, next: Next): string {
  const colons = [...text.matchAll(/: /g)];
  if (colons.length === 0) return text;
  const from = pick(colons, next).index + 2;
  const rest = /^(?:"[^"\n]*"|\[[^\]\n]*\]|\{[^}\n]*\}|[^,}\]\n]*)/.exec(text.slice(from))![0];
  return text.slice(0, from) + pick(values, next) + text.slice(from + rest.length);
}

export interface Tally {
  loaded: number;
  refused: number;
  /** Milliseconds of the longest, other processes' turns among them. */
  longest: number;
}

/** Loads `text`, in every tenth case with phases left out. @throws where the answer is neither a model nor diagnostics */
export function attempt(text: string, next: Next, tally: Tally): void {
  const flag = () => next(10) === 0;
  const skip: Skip = {
    interpolation: flag(),
    paths: flag(),
    environment: flag(),
    normalisation: flag(),
    consistency: flag(),
  };
  const files = { 'compose.yaml': text, 'sub/other.yaml': other, 'e.env': 'A=1\nB="$A"\n', 'p.yaml': text };
  const before = performance.now();
  const result = loadFiles(files, {
    skip,
    hints: next(2) === 0,
    profiles: next(2) === 0 ? ['*'] : [],
    environment: { B: 'b', HOME: '/root' },
  });
  tally.longest = Math.max(tally.longest, performance.now() - before);
  const source = (file: string) => (files as Record<string, string>)[file];
  for (const told of [...result.warnings, ...(result.ok ? [] : result.errors)]) {
    if (!(told instanceof StackError) || told.message === '')
      throw new Error('a problem without words', { cause: told });
    const lines = told.where ? source(told.where.file)?.split('\n').length : undefined;
    if (told.where && (told.where.line < 1 || told.where.line > (lines ?? 0) || told.where.column < 1)) {
      throw new Error(`${told.message}: line ${told.where.line} of ${lines}`);
    }
    formatError(told, source);
  }
  if (!result.ok) {
    tally.refused++;
    if (result.errors.length === 0) throw new Error('refused without a reason');
    return;
  }
  tally.loaded++;
  JSON.stringify(canonicalJson(result.value.project, skip.interpolation));
  if (!skip.consistency && !skip.interpolation) topology(result.value.project);
  if (next(20) === 0) explain(result.value, 'services');
}
