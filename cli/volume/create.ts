import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { refusedVolume } from '../../planner/load/refused-storage.ts';
import { StackError } from '../../schemas/errors.ts';
import { collect, define } from '../command.ts';
import { anonymousLabel, openVolumes, pairs } from './open.ts';

interface Flags {
  driver: string;
  opt?: string[];
  label?: string[];
}

export const create = define<Flags>({
  usage: 'create [VOLUME]',
  summary: 'Make a volume',
  examples: [
    ['stack volume create data', 'Make the volume data, for `external: true` in stack files.'],
    ['stack volume create -o type=tmpfs -o device=tmpfs -o o=size=64m scratch', 'Make one that lies in memory.'],
  ],
  options(command) {
    command
      .option('-d, --driver <driver>', 'its driver; local is the only one', 'local')
      .option('-o, --opt <option>', 'an option of the driver: type=, o= or device= (repeatable)', collect)
      .option('--label <label>', 'a label: key=value (repeatable)', collect);
  },
  async action(context, [given], { driver, opt = [], label = [] }) {
    const options = pairs(opt);
    const [refused] = refusedVolume({ driver, driver_opts: options });
    if (refused) {
      const message = `${refused.path.join('.')}: ${refused.why}.`;
      throw new StackError('config.not-supported', { message, hint: refused.hint });
    }
    const volumes = await openVolumes(context);
    const name = given ?? randomBytes(32).toString('hex');
    const labels = { ...(given === undefined ? { [anonymousLabel]: '' } : {}), ...pairs(label) };
    const before = volumes.get(name);
    if (before && opt.length > 0 && !isDeepStrictEqual(before.config.driver_opts ?? {}, options)) {
      throw new StackError('volume.exists', {
        message: `The volume ${name} exists already, with other options.`,
        hint: `\`stack volume inspect ${name}\` shows them. Choose another name, or remove it first.`,
        resource: `volume ${name}`,
      });
    }
    await volumes.create('', '', { name, labels, ...(opt.length > 0 ? { driver_opts: options } : {}) });
    context.stdout.write(`${name}\n`);
  },
});
