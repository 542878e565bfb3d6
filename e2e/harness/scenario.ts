/** A test file's private host: opened before its tests, closed after them, and clean after each of them. */
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type PrivateHost, type Project, privateHost } from './harness.ts';
import type { Finished } from './process.ts';

/** What `ps --format json` tells of a container; field names are those of docker compose. */
export interface Listed {
  ID: string;
  Name: string;
  Service: string;
  State: string;
  Health: string;
  ExitCode: number;
  Publishers: { URL: string; TargetPort: number; PublishedPort: number; Protocol: string }[];
}

export interface Scenario {
  readonly host: PrivateHost;
  /** A stack that is taken down, with its volumes, when the test ends. */
  project(name: string, file?: object | string): Project;
}

/** Registers the hooks. Every test of the file ends with all its stacks down and nothing left of them. */
export function scenario(): Scenario {
  let host: PrivateHost | undefined;
  const projects = new Set<Project>();
  beforeAll(async () => {
    host = await privateHost();
  });
  afterEach(async () => {
    const failures: string[] = [];
    for (const project of projects) {
      // By name and from elsewhere: the file may be one that cannot be read.
      const down = await host!.stack(['-p', project.name, 'down', '-v', '-t', '1', '--remove-orphans'], { cwd: '/' });
      if (down.code !== 0) failures.push(`down of ${project.name}: exit ${down.code}\n${down.stdout}${down.stderr}`);
    }
    projects.clear();
    expect(failures).toEqual([]);
    expect(await host!.leaks()).toEqual([]);
  });
  afterAll(async () => {
    await host?.close();
  });
  return {
    get host() {
      return host!;
    },
    project(name, file) {
      const project = host!.project(name, file);
      projects.add(project);
      return project;
    },
  };
}

/** Containers as `ps -a --format json` lists them: one object a line. */
export async function list(project: Project, args: string[] = []): Promise<Listed[]> {
  const out = await project.ok([...args, 'ps', '-a', '--format', 'json']);
  const listed = out.trimStart().startsWith('[')
    ? (JSON.parse(out) as Listed[])
    : out
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Listed);
  return listed.sort((a, b) => a.Name.localeCompare(b.Name, 'en', { numeric: true }));
}

export async function listed(project: Project, service: string): Promise<Listed> {
  const found = (await list(project)).find((container) => container.Service === service);
  if (!found) throw new Error(`${service} has no container`);
  return found;
}

/** The host's port that a container's port is published on. */
export async function published(project: Project, service: string, target: number): Promise<number> {
  const { Publishers } = await listed(project, service);
  const port = Publishers.find(({ TargetPort }) => TargetPort === target)?.PublishedPort;
  if (!port) throw new Error(`${service} does not publish ${target}: ${JSON.stringify(Publishers)}`);
  return port;
}

/** A busybox service that lives until it is stopped. */
export const idle = { image: 'busybox:1', init: true, command: ['sleep', '1000000'] };

/** A busybox service whose main process is a shell script. Dollar signs are the script's own. */
export function shell(script: string, more: object = {}): object {
  return { image: 'busybox:1', command: ['sh', '-c', script.replaceAll('$', '$$$$')], ...more };
}

/** The error is on stderr, in words that name these, with this exit code, and is no stack trace. */
export function expectError(done: Finished, code: number, ...words: RegExp[]): void {
  for (const word of words) expect(done.stderr).toMatch(word);
  expect(done.stderr).not.toMatch(/^\s+at .*\.[jt]s:\d+/m);
  expect(done.code).toBe(code);
}
