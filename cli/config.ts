import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { asStackError } from '../schemas/errors.ts';
import { define } from './command.ts';
import { loadProject } from './project.ts';
import { renderer } from './render/render.ts';

interface Flags {
  format: 'yaml' | 'json';
  quiet?: boolean;
  services?: boolean;
  images?: boolean;
  volumes?: boolean;
  networks?: boolean;
  profiles?: boolean;
  environment?: boolean;
  output?: string;
}

export const config = define<Flags>({
  usage: 'config [SERVICE...]',
  summary: 'Print the stack file as Stack understands it',
  examples: [
    ['stack config', 'Print the merged and interpolated stack file.'],
    ['stack config --services', 'Print the names of the services, one a line.'],
  ],
  options(command) {
    command.addOption(new Option('--format <format>', 'output format').choices(['yaml', 'json']).default('yaml'));
    command
      .option('-q, --quiet', 'only check; print nothing')
      .option('--services', 'print the names of the services')
      .option('--images', 'print the names of the images')
      .option('--volumes', 'print the names of the volumes')
      .option('--networks', 'print the names of the networks')
      .option('--profiles', 'print the names of the profiles')
      .option('--environment', 'print the variables that interpolation uses')
      .option('-o, --output <file>', 'write to a file instead of standard output');
  },
  async action(context, services, flags) {
    const { emit, close } = renderer(context);
    const { project, disabled, environment } = await loadProject(context, emit, services);
    await close();
    const print = (text: string) => {
      if (flags.output !== undefined) writeOutput(flags.output, text);
      else context.stdout.write(text);
    };
    const list = (names: Iterable<string>) => print([...new Set(names)].map((name) => `${name}\n`).join(''));
    const selected = Object.entries(project.services).filter(
      ([name]) => services.length === 0 || services.includes(name),
    );
    if (flags.quiet) return;
    if (flags.services) return list(selected.map(([name]) => name).sort());
    if (flags.images) {
      return list(selected.map(([name, service]) => service.image ?? `${project.name}-${name}`).sort());
    }
    if (flags.volumes) return list(Object.keys(project.volumes).sort());
    if (flags.networks) return list(Object.keys(project.networks).sort());
    if (flags.profiles) {
      const all = [...Object.values(project.services), ...Object.values(disabled)];
      return list(all.flatMap((service) => service.profiles ?? []).sort());
    }
    if (flags.environment) {
      return list(
        Object.entries(environment)
          .map(([name, value]) => `${name}=${value}`)
          .sort(),
      );
    }
    const { canonical } = await import('../planner/load/canonical.ts');
    const document = canonical({ ...project, services: Object.fromEntries(selected) });
    if (flags.format === 'json') return print(`${JSON.stringify(document, null, 2)}\n`);
    const { stringify } = await import('yaml');
    print(
      stringify({ name: project.name, ...document }, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }),
    );
  },
});

function writeOutput(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw asStackError(error, 'usage', {
      message: `${file} cannot be written: ${(error as NodeJS.ErrnoException).code}.`,
      hint: 'Name a file in a folder that exists and that you may write to.',
    });
  }
}
