/** `stack build`: images of the services that have a `build` section. */
import { InvalidArgumentError, Option } from 'commander';
import { requestOf } from '../engine/build/request.ts';
import { parseBytes } from '../planner/load/bytes.ts';
import { builtName } from '../planner/load/supported.ts';
import { StackError } from '../schemas/errors.ts';
import type { Project, Service } from '../schemas/project.ts';
import { interruptible, tell } from './apply.ts';
import { buildRenderer } from './build-progress.ts';
import { collect, define } from './command.ts';
import { loadProject } from './project.ts';
import { renderer } from './render/render.ts';

export interface BuildFlags {
  buildArg?: string[];
  noCache?: boolean;
  cache?: boolean;
  pull?: boolean;
  push?: boolean;
  platform?: string[];
  builder?: string;
  memory?: number;
  provenance?: string;
  sbom?: string;
  quiet?: boolean;
  ssh?: string;
  withDependencies?: boolean;
  check?: boolean;
  print?: boolean;
}

export const build = define<BuildFlags>({
  usage: 'build [SERVICE...]',
  summary: 'Build the images of services',
  dryRun: 'told',
  examples: [
    ['stack build', 'Build the image of every service that has `build`; steps that have not changed are not run.'],
    ['stack build --no-cache --pull api', 'Build one anew, from the newest base images.'],
    ['stack build --check', 'Look the Dockerfiles over, and build nothing.'],
  ],
  options(command) {
    command
      .option('--build-arg <name=value>', 'a value for ARG (repeatable)', collect)
      .option('--no-cache', 'run every step, whatever the cache has')
      .option(
        '--platform <platform>',
        'build for this platform, linux/arm64 (repeatable, or several after commas)',
        collect,
      )
      .option('--provenance <value>', 'attest where the images come from: true, or mode=min|max,version=v1|v0.2')
      .option('--sbom <value>', 'attach a list of the packages in them: true')
      .option('--pull', 'ask the registries whether the base images have changed')
      .option('--push', 'push the images that were built')
      .option('-q, --quiet', 'print nothing but errors and ids')
      .option('--ssh <id=socket>', 'an ssh agent for steps that ask for it')
      .option('-m, --memory <bytes>', 'most memory that a step may take: 512m', sizeOf)
      .option('--with-dependencies', 'also the services that those named depend on')
      .option('--check', 'look the Dockerfiles over and build nothing')
      .option('--print', 'print the work as a graph, as JSON, and do none')
      .addOption(new Option('--builder <name>', 'there is one builder alone: refused').hideHelp());
    for (const flag of withoutEffect) command.addOption(new Option(flag, 'has no effect, as with docker').hideHelp());
  },
  async action(context, services, flags) {
    if (flags.builder !== undefined) throw otherBuilder(flags.builder);
    const show = renderer(context);
    const { project } = await loadProject(context, show.emit, services);
    const names = selected(project, services, flags.withDependencies === true);
    if (names.length === 0) {
      const message = services.length > 0 ? `${services.join(', ')}: nothing to build.` : 'There is nothing to build.';
      const hint = 'Only services with `build` are built.';
      show.emit({ type: 'warning', error: new StackError('usage', { message, hint }) });
      await show.close();
      return;
    }
    if (context.globals.dryRun) {
      const image = (name: string) => `image ${project.services[name]!.image ?? builtName(project, name)}`;
      await tell(show.emit, 'image.build', names.map(image), async () => {}, true);
      return show.close();
    }
    const [host, { createRooms }] = await Promise.all([context.host(), import('../engine/rooms.ts')]);
    const rooms = createRooms(host);
    const [images, builds] = await Promise.all([rooms.images(), rooms.builds()]);
    const progress = buildRenderer(context, flags.quiet === true);
    const warned = new Set<string>();
    // Several services may have one Dockerfile.
    const warn = (error: StackError) => {
      const text = JSON.stringify([error.message, error.where]);
      if (!warned.has(text)) show.emit({ type: 'warning', error });
      warned.add(text);
    };
    try {
      return await interruptible(async (signal) => {
        let exitCode = 0;
        const one = async (name: string) => {
          const common = { emit: progress.of(name), warn, signal };
          const request = requestOf(project, name, flags, context.environment, common);
          if (flags.check || flags.print) {
            const result = await builds.check(request);
            if (!result.ok) {
              const [first, ...rest] = result.errors;
              first!.also.push(...rest);
              throw first;
            }
            result.warnings.forEach(warn);
            if (result.warnings.length > 0) exitCode = 1;
            if (flags.print) context.stdout.write(`${JSON.stringify(result.value, null, 2)}\n`);
            return;
          }
          const image = await builds.build(request);
          progress.built(name, image, request.names[0]!);
          if (flags.push) await images.push(request.names[0]!, { signal });
        };
        const done = await Promise.allSettled(names.map(one));
        const errors = done.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
        if (errors.length > 0) {
          const [first, ...rest] = errors;
          if (first instanceof StackError) first.also.push(...rest.filter((each) => each instanceof StackError));
          throw first;
        }
        if (!flags.check) return 0;
        if (warned.size === 0 && !flags.quiet && !flags.print)
          context.stdout.write('Check complete, no warnings found.\n');
        return exitCode;
      });
    } finally {
      await show.close();
    }
  },
});

/** Flags that docker compose takes still, of builders of long ago. */
const withoutEffect = ['--parallel', '--compress', '--force-rm', '--no-rm'];

const otherBuilder = (name: string) =>
  new StackError('usage', {
    message: `--builder ${name}: builders of docker buildx are not used, Stack builds by itself.`,
    hint: 'Leave the flag out; `platforms` and --platform build for other machines.',
  });

function sizeOf(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || bytes === 0) throw new InvalidArgumentError('It is a size, as in 512m or 2g.');
  return bytes;
}

function selected({ services }: Project, named: string[], withDependencies: boolean): string[] {
  const wanted = new Set<string>();
  const add = (name: string) => {
    if (wanted.has(name)) return;
    wanted.add(name);
    if (withDependencies) for (const other of Object.keys(services[name]?.depends_on ?? {})) add(other);
  };
  for (const name of named.length > 0 ? named : Object.keys(services)) add(name);
  const isBuilt = (service: Service | undefined) => service?.build !== undefined;
  return [...wanted].filter((name) => isBuilt(services[name]));
}
