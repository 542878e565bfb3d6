// Everything that must hold, in one command: tools, build, types, lint, unit tests, end-to-end tests. Needs root.
// Ends with one line: `N passed, N failed, N skipped`; exit code 1 when anything failed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules/.bin', name);
const reports = mkdtempSync(join(tmpdir(), 'stack-test-'));
const total = { passed: 0, failed: 0, skipped: 0 };
const summary = [];

// docker-registry lies beside the base images (scripts/base-images/places.ts); ip and nft where not every user looks.
const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const fixtures = process.env.STACK_FIXTURES || join(cache, 'stack-fixtures');
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin:${join(fixtures, 'tools/usr/bin')}` };

function add(name, began, { passed, failed, skipped }) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  summary.push(`  ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s`);
}

function step(name, command, args) {
  console.log(`\n== ${name}`);
  const began = Date.now();
  const run = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
  const isGood = run.status === 0;
  add(name, began, { passed: isGood ? 1 : 0, failed: isGood ? 0 : 1, skipped: 0 });
  return isGood;
}

/** Counts from vitest's own report. A file that cannot even be loaded has no tests to count: it is one failure. */
function vitest(project) {
  console.log(`\n== ${project} tests`);
  const began = Date.now();
  const file = join(reports, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const run = spawnSync(bin('vitest'), ['run', '--project', project, ...reporters], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let counts = { passed: 0, failed: 1, skipped: 0 };
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    const files = report.testResults.filter(({ status, assertionResults }) => {
      return status === 'failed' && assertionResults.every((test) => test.status !== 'failed');
    });
    counts = {
      passed: report.numPassedTests,
      failed: report.numFailedTests + files.length,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch (error) {
    console.error(`vitest left no report: ${error.message}`);
  }
  if (run.status !== 0 && counts.failed === 0) counts.failed = 1;
  add(`${project} tests`, began, counts);
}

const isReady = step('tools', process.execPath, [join(root, 'scripts/test-tools.ts')]);
if (step('build', process.execPath, [join(root, 'scripts/build.mjs')])) {
  step('types', bin('tsc'), ['--noEmit']);
  step('lint', bin('biome'), ['check', '--error-on-warnings', '.']);
  vitest('unit');
  if (isReady) vitest('e2e');
}
rmSync(reports, { recursive: true, force: true });
console.log(`\n${summary.join('\n')}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 ? 1 : 0);
