/** Run by limits.test.ts where net_cls and net_prio are mounted: sets both, shows what the files say, cleans up. */
import { existsSync, readFileSync } from 'node:fs';
import { container, parent } from './container.fixture.ts';
import { hierarchies, v1Directory } from './hierarchies.ts';

const network = { classID: 1_048_577, priorities: [{ name: 'lo', priority: 500 }] };
const directory = v1Directory(hierarchies(), 'net_cls', '')!;
{
  await using one = await container('network', { network });
  console.log(`classid ${readFileSync(`${directory}${one.path}/net_cls.classid`, 'utf8').trim()}`);
  console.log(/^lo 500$/m.exec(readFileSync(`${directory}${one.path}/net_prio.ifpriomap`, 'utf8'))?.[0]);
}
console.log(`left ${existsSync(directory + parent)}`);
