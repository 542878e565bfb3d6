import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { features as featuresDocument } from '../../engine/runtime/oci/features.ts';
import { specTemplate } from '../../engine/runtime/oci/template.ts';
import { mountOptions } from '../../engine/runtime/program/mount-options.ts';
import { writeSpec } from '../../engine/runtime/spec-json.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Definition } from './command.ts';

export const features: Definition = {
  usage: 'features',
  summary: 'Print what the runtime can do, as JSON',
  action: async (context) =>
    context.print(`${JSON.stringify(featuresDocument({ mountOptions, version: '0.1.0' }), null, 2)}\n`),
};

export const spec: Definition = {
  usage: 'spec',
  summary: 'Write a config.json to start from',
  options(command) {
    command
      .option('-b, --bundle <dir>', 'the bundle it is written into', '.')
      .option('--rootless', 'for a caller without root rights');
  },
  async action(_, __, { bundle, rootless }) {
    const file = join(bundle as string, 'config.json');
    if (existsSync(file)) {
      throw new StackError('usage', {
        message: `${file} exists already.`,
        hint: 'Move it away first: nothing is overwritten.',
      });
    }
    writeFileSync(file, `${writeSpec(specTemplate(rootless === true), 2)}\n`);
  },
};
