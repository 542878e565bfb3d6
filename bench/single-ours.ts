/**
 * One container after the other through the engine, in this process, as `stack up` makes them: create, start, wait,
 * remove. Prints the milliseconds of each as JSON.
 *
 *   node bench/single-ours.ts <runs> <image>      in a private host that has the image
 */
import { createContainers } from '../engine/containers/implementation.ts';
import { createImages } from '../engine/images/images.ts';
import { createNetworks } from '../engine/network/network.ts';
import { readSettings } from '../engine/settings.ts';
import { layout } from '../engine/state/layout.ts';
import { createVolumes } from '../engine/volumes/volumes.ts';
import { loadKernel } from '../native/index.ts';
import type { Project, Service } from '../schemas/project.ts';

const [runs, imageName] = process.argv.slice(2);
const host = { kernel: loadKernel(), layout: layout(), settings: await readSettings(process.env) };
const image = createImages(host).find(imageName!);
if (!image) throw new Error(`${imageName}: no such image here`);
const containers = createContainers(host, createNetworks(host), createVolumes(host), async () => {});
const config: Service = { image: imageName!, command: ['true'], entrypoint: null, network_mode: 'none' };
const project: Project = { name: 'single', services: { one: config }, networks: {}, volumes: {} };
const milliseconds: number[] = [];
for (let run = 0; run < Number(runs); run++) {
  const start = process.hrtime.bigint();
  const record = await containers.create({
    project,
    service: 'one',
    number: 1,
    name: `single-one-${run}`,
    isOneOff: false,
    config,
    image,
    networks: new Map(),
    siblings: () => [],
  });
  await containers.start(record);
  const { exitCode } = await containers.wait(record);
  await containers.remove(record);
  milliseconds.push(Number(process.hrtime.bigint() - start) / 1e6);
  if (exitCode !== 0) throw new Error(`exit ${exitCode}`);
}
console.log(JSON.stringify(milliseconds));
