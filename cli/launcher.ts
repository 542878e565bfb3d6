/**
 * Starts a bundle, and spares it compiling what earlier runs of the same command compiled. Node's own compile cache is made
 * when a module is loaded, before any of its functions ran, and has none of those that V8 compiles when they are called.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';

/** Filled in by scripts/bundle.mjs: name of the bundle, digest of its content, commands that have a cache each. */
declare const bundle: { name: string; digest: string; commands: string[] };

/** Runs after which what they compiled is kept: the first may have been the shorter way through the command. */
const learning = 3;
/** V8 looks at the length of the source alone; Node's version and flags it checks itself. */
const stampLength = 64;
const stamp = (runs: number) => Buffer.from(`${bundle.digest} ${process.version} ${runs}`.padEnd(stampLength));

/** Undefined where there is none that is ours, whole, and of this bundle. */
function readCode(path: string): { code: Buffer; runs: number } | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
  try {
    // Code that root runs must be root's.
    const { uid, mode } = fstatSync(fd);
    if (uid !== process.geteuid!() || (mode & 0o22) !== 0) return undefined;
    const content = readFileSync(fd);
    const end = content.length - stampLength;
    for (let runs = 1; runs <= learning; runs++) {
      if (end > 0 && stamp(runs).equals(content.subarray(end))) return { code: content.subarray(0, end), runs };
    }
    return undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Whole or not at all, a power cut included: V8 takes its word for what it reads. */
function writeCode(path: string, code: Buffer, runs: number): void {
  const temporary = `${path}.${process.pid}`;
  try {
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      fchmodSync(fd, 0o600);
      for (const part of [code, stamp(runs)]) for (let at = 0; at < part.length; ) at += writeSync(fd, part, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch {
    // Read-only, or full: the next run compiles again.
    rmSync(temporary, { force: true });
  }
}

const directory = __dirname;
const file = join(directory, `${bundle.name}.js`);
const words = process.argv.slice(2);
const command = words.find((word) => bundle.commands.includes(word)) ?? 'other';
// Beside the bundle, not in the world-writable /tmp. Where the checkout is a user's and root runs it, it lies with root: the next
// build could not remove a folder of root's.
const isOurs = statSync(directory).uid === process.geteuid!();
const cache = join(isOurs ? join(directory, '.code-cache') : '/var/cache/stack', `${bundle.name}-${command}`);

const known = readCode(cache);
const head = '(function (exports, require, module, __filename, __dirname, __import) {';
// esbuild writes ASCII alone, and one byte a character is read fastest.
const script = new Script(`${head}${readFileSync(file, 'latin1')}\n})`, {
  filename: file,
  columnOffset: -head.length,
  cachedData: known?.code,
});
const runs = known && !script.cachedDataRejected ? known.runs : 0;
if (runs < learning && !words.includes('--help') && !words.includes('-h')) {
  process.on('exit', (code) => {
    if (code === 0) writeCode(cache, script.createCachedData(), runs + 1);
  });
}
const load = (name: string) => import(name);
script.runInThisContext().call(exports, exports, require, module, file, directory, load);
