import { Option } from 'commander';
import { asStackError } from '../schemas/errors.ts';
import type { Service } from '../schemas/project.ts';
import { given } from './apply.ts';
import { define } from './command.ts';
import { each, openImages } from './image/open.ts';
import { loadProject } from './project.ts';
import { renderer } from './render/render.ts';
import { withDependencies } from './services.ts';

interface Flags {
  ignoreBuildable?: boolean;
  ignorePullFailures?: boolean;
  includeDeps?: boolean;
  policy?: 'missing' | 'always';
  quiet?: boolean;
}

export const pull = define<Flags>({
  usage: 'pull [SERVICE...]',
  summary: 'Pull the images of services',
  dryRun: 'told',
  examples: [
    ['stack pull', 'Pull the images of all services, newer ones where there are.'],
    ['stack pull --policy missing db', 'Pull the image of db where it is not there.'],
  ],
  options(command) {
    command
      .option('--ignore-buildable', 'leave out images that can be built')
      .option('--ignore-pull-failures', 'pull what can be, and tell of the rest')
      .option('--include-deps', 'also the services that those named depend on')
      .addOption(new Option('--policy <policy>', 'which images to pull').choices(['missing', 'always']))
      .option('-q, --quiet', 'show no progress')
      .addOption(new Option('--no-parallel', 'they are pulled at once all the same').hideHelp());
  },
  async action(context, services, { ignoreBuildable, ignorePullFailures, includeDeps, policy, quiet }) {
    const show = renderer(context);
    const { project } = await loadProject(context, show.emit, services);
    await show.close();
    const names = services.length === 0 ? Object.keys(project.services) : services;
    const wanted = new Map<string, Service>();
    for (const name of includeDeps ? withDependencies(project, names) : names) {
      const service = project.services[name];
      if (!service?.image || (service.build && ignoreBuildable)) continue;
      // What is never pulled, or built anew each time, is not pulled here either.
      if (service.pull_policy === 'never' || service.pull_policy === 'build') continue;
      wanted.set(`${service.image}${service.platform ? ` for ${service.platform}` : ''}`, service);
    }
    const images = await openImages(context);
    const all = [...wanted.values()];
    /** One that can be built need not be there. */
    const isOptional = (service: Service) => ignorePullFailures === true || service.build !== undefined;
    await each(context, 'image.pull', [...wanted.keys()], quiet === true, async (name, onProgress, signal) => {
      const service = all[[...wanted.keys()].indexOf(name)] as Service;
      try {
        const { image = '', platform } = service;
        await images.pull(image, given({ platform, policy: policyOf(service, policy), onProgress, signal }));
      } catch (thrown) {
        const error = asStackError(thrown);
        if (!isOptional(service) || error.code === 'plan.interrupted') throw error;
        context.stderr.write(`warning: ${error.message}\n`);
      }
    });
  },
});

/** Without a word of the command line the service's own policy counts; asked for by hand, what is there is asked for anew. */
function policyOf({ pull_policy: own }: Service, asked: Flags['policy']): 'missing' | 'always' {
  if (asked) return asked;
  return own === 'missing' || own === 'if_not_present' ? 'missing' : 'always';
}
