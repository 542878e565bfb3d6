import { asStackError, StackError } from '../schemas/errors.ts';
import { define } from './command.ts';
import { each, openImages } from './image/open.ts';
import { loadProject } from './project.ts';
import { renderer } from './render/render.ts';
import { withDependencies } from './services.ts';

interface Flags {
  ignorePushFailures?: boolean;
  includeDeps?: boolean;
  quiet?: boolean;
}

export const push = define<Flags>({
  usage: 'push [SERVICE...]',
  summary: 'Push the images that the services build',
  dryRun: 'told',
  examples: [['stack push', 'Push the image of every service that has `build` and `image`; others are left out.']],
  options(command) {
    command
      .option('--ignore-push-failures', 'push what can be, and tell of the rest')
      .option('--include-deps', 'also the services that those named depend on')
      .option('-q, --quiet', 'show no progress');
  },
  async action(context, services, { ignorePushFailures, includeDeps, quiet }) {
    const show = renderer(context);
    const { project } = await loadProject(context, show.emit, services);
    const wanted =
      services.length === 0
        ? Object.keys(project.services)
        : includeDeps
          ? withDependencies(project, services)
          : services;
    const names = new Set<string>();
    for (const name of wanted) {
      const service = project.services[name];
      if (!service?.build || !service.image) continue;
      for (const image of [service.image, ...((service.build.tags as string[] | undefined) ?? [])]) names.add(image);
    }
    if (names.size === 0) {
      const error = new StackError('plan.warning', {
        message: 'There is nothing to push: no service has both `build` and `image`.',
        hint: '`stack image push IMAGE` pushes an image by its name.',
      });
      show.emit({ type: 'warning', error });
    }
    await show.close();
    if (names.size === 0) return;
    const images = await openImages(context);
    try {
      await each(context, 'image.push', [...names], quiet === true, (name, onProgress, signal) =>
        images.push(name, { onProgress, signal }),
      );
    } catch (thrown) {
      const error = asStackError(thrown);
      if (!ignorePushFailures || error.code === 'plan.interrupted') throw error;
      const { also } = error;
      for (const failure of [error, ...also]) context.stderr.write(`warning: ${failure.message}\n`);
    }
  },
});
