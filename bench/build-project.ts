/** What is built: six stages with a file for each, and a context of ten thousand files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageName } from './image.ts';

/** In every content: a builder may remember what an earlier run built. */
const run = `${Date.now()}`;

const stages = ['a', 'b', 'c', 'd', 'e'];

const stage = (name: string) => `FROM ${imageName} AS ${name}
WORKDIR /src
COPY ${name}.txt .
RUN cat ${name}.txt ${name}.txt > out
`;

const sixStages = `${stages.map(stage).join('')}FROM ${imageName}
WORKDIR /app
${stages.map((name) => `COPY --from=${name} /src/out ${name}`).join('\n')}
RUN cat ${stages.join(' ')} > all
CMD ["cat", "/app/all"]
`;

function write(folder: string, name: string, dockerfile: string, context = '.'): string {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'Dockerfile'), dockerfile);
  writeFileSync(
    join(directory, 'compose.yaml'),
    JSON.stringify({ name, services: { web: { image: imageOf(name), build: { context } } } }),
  );
  return name;
}

export const imageOf = (project: string) => `localhost/stack-bench-build:${project}`;

/** Five stages that read a file each, and one that takes from them all. @returns its name in `folder` */
export function writeStages(folder: string): string {
  const name = write(folder, 'six-stages', sixStages);
  for (const each of stages) writeFileSync(join(folder, name, `${each}.txt`), `${run} ${each}\n`);
  return name;
}

/** Another text, and another size, in the file of one stage. */
export function changeFile(folder: string, project: string, round: number): void {
  writeFileSync(join(folder, project, 'a.txt'), `${run}\n${'changed\n'.repeat(round + 2)}`);
}

/** 10,000 files of 1 KiB in 100 directories; no round has a file of another, or of another run. @returns its name in `folder` */
export function writeMany(folder: string, round: number): string {
  const name = write(folder, `many-${round}`, `FROM ${imageName}\nCOPY files /files\n`);
  for (let directory = 0; directory < 100; directory++) {
    const path = join(folder, name, 'files', `${directory}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < 100; file++) {
      writeFileSync(join(path, `${file}.js`), `${run}/${round}/${directory}/${file}\n`.padEnd(1024, '.'));
    }
  }
  return name;
}
