/** `stack login` and `stack logout`, with docker's flags and docker's file. Neither needs root. */
import type { Credentials } from '../engine/images/registry/credentials.ts';
import { StackError } from '../schemas/errors.ts';
import { interruptible } from './apply.ts';
import { type Context, define } from './command.ts';
import { ask } from './prompt.ts';

interface Flags {
  username?: string;
  password?: string;
  passwordStdin?: boolean;
}

const load = () => import('../engine/images/registry/login.ts');

export const login = define<Flags>({
  usage: 'login [SERVER]',
  summary: 'Log in to a registry',
  examples: [
    ['stack login registry.example.com', 'Ask for user and password, try them out, and keep them where docker does.'],
    ['cat token | stack login ghcr.io -u ann --password-stdin', 'Take the password from standard input.'],
  ],
  options(command) {
    command
      .option('-u, --username <user>', 'user')
      .option('-p, --password <password>', 'password; seen by everybody on this machine: better --password-stdin')
      .option('--password-stdin', 'read the password from standard input');
  },
  async action(context, [server = ''], flags) {
    const [{ login: logIn, readServer }, { readSettings }] = await Promise.all([
      load(),
      import('../engine/settings.ts'),
    ]);
    const { shown } = readServer(server);
    const settings = await readSettings(context.environment);
    const credentials = await chooseCredentials(context, server, shown, flags);
    const { place } = await interruptible((signal) => logIn(credentials, { server, settings, signal }));
    if (!place.startsWith('docker-credential-')) {
      context.stderr.write(
        `warning: The login is kept unencrypted in ${place}; a credential helper would encrypt it.\n`,
      );
    }
    context.stdout.write('Login Succeeded\n');
  },
});

export const logout = define({
  usage: 'logout [SERVER]',
  summary: 'Forget the login of a registry',
  examples: [['stack logout registry.example.com', 'Remove it from the file or helper it is kept in.']],
  async action(context, [server = '']) {
    const { logout: logOut, readServer } = await load();
    const { shown } = readServer(server);
    const isFound = await logOut(server);
    context.stdout.write(isFound ? `Removing login credentials for ${shown}\n` : `Not logged in to ${shown}\n`);
  },
});

/** From the flags, from standard input, from what is filed, or asked for at the terminal, in this order. */
async function chooseCredentials(context: Context, server: string, shown: string, flags: Flags): Promise<Credentials> {
  const { username, password, passwordStdin } = flags;
  const refuse = (message: string, hint: string): never => {
    throw new StackError('usage', { message, hint });
  };
  if (password !== undefined && passwordStdin)
    refuse('--password and --password-stdin cannot be given together.', 'Give one.');
  if (passwordStdin && !username) refuse('--password-stdin needs a user.', 'Give one with --username.');
  if (password !== undefined) {
    context.stderr.write(
      'warning: A password on the command line can be seen by others. Better use --password-stdin.\n',
    );
  }
  const given = passwordStdin ? await readPassword(context) : password;
  if (username && given) return { user: username, password: given };
  if (!username && given === undefined) {
    const { filedLogin } = await load();
    const filed = await filedLogin(server);
    if (filed) {
      context.stderr.write(`Trying the login that is filed for ${shown}.\n`);
      return filed;
    }
  }
  if (!context.stdin.isTTY) {
    refuse('There is no terminal to ask for the login.', 'Give --username, and the password with --password-stdin.');
  }
  const user = username || (await ask(context, `User for ${shown}: `)).trim();
  const secret = given || (await ask(context, 'Password: ', true));
  if (!user || !secret) refuse('A login needs a user and a password.', 'Give both.');
  return { user, password: secret };
}

/** The whole of standard input without its last line break, as docker reads it. */
async function readPassword({ stdin }: Context): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += Buffer.from(chunk as Buffer).toString('utf8');
    if (text.length > 1024 * 1024) break;
  }
  const password = text.replace(/\r?\n$/, '');
  if (password !== '') return password;
  throw new StackError('usage', {
    message: 'The password on standard input is empty.',
    hint: 'Check what is piped in.',
  });
}
