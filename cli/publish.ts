import { StackError } from '../schemas/errors.ts';
import { define } from './command.ts';

interface Flags {
  app?: boolean;
  insecureRegistry?: boolean;
  ociVersion?: string;
  resolveImageDigests?: boolean;
  withEnv?: boolean;
  yes?: boolean;
}

export const publish = define<Flags>({
  usage: 'publish REPOSITORY[:TAG]',
  summary: 'Refused: a stack file is not published as an artifact of a registry',
  dryRun: 'harmless',
  examples: [['stack publish registry.test/demo', 'Is refused, and says what to do instead.']],
  options(command) {
    command
      .option('--app', 'publish the images, too')
      .option('--insecure-registry', 'reach the registry without TLS')
      .option('--oci-version <version>', 'version of the OCI artifact')
      .option('--resolve-image-digests', 'pin every image to its digest')
      .option('--with-env', 'publish the variables of the environment, too')
      .option('-y, --yes', 'ask nothing');
  },
  async action() {
    throw new StackError('usage', {
      message: 'Stack files are not published to registries.',
      hint: '`stack config --resolve-image-digests -o stack.yaml` writes the whole stack into one file, images pinned.',
    });
  },
});
