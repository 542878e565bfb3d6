/** A stack without its file: the project its records tell, enough to stop it and to take it down. */
import type { Project } from '../schemas/project.ts';
import type { Snapshot } from '../schemas/snapshot.ts';

/** Services as their newest containers were made, networks and volumes as they are. */
export function recordedProject({ stack, containers, networks, volumes }: Snapshot): Project {
  const project: Project = { name: stack, services: {}, networks: {}, volumes: {} };
  const byAge = containers.toSorted((a, b) => (a.record.createdAt < b.record.createdAt ? -1 : 1));
  const replicas = new Map<string, number>();
  for (const { record } of byAge) {
    if (!record.isOneOff) replicas.set(record.service, (replicas.get(record.service) ?? 0) + 1);
    // A container of `run` may have other settings than its service: it counts only where there is nothing else.
    if (!record.isOneOff || !(record.service in project.services)) project.services[record.service] = record.config;
  }
  for (const [name, config] of Object.entries(project.services)) {
    project.services[name] = { ...config, scale: replicas.get(name) ?? 0 };
  }
  for (const { record } of networks) if (record.stack === stack) project.networks[record.key] = record.config;
  for (const record of volumes) {
    if (record.stack === stack && !record.isAnonymous) project.volumes[record.key] = record.config;
  }
  return project;
}
