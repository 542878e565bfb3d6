/** Operations in docker compose's words: ` Container demo-web-1  Started`. */
import type { EventKind } from '../../schemas/events.ts';

const words: Record<EventKind, [doing: string, done: string]> = {
  'image.pull': ['Pulling', 'Pulled'],
  'image.build': ['Building', 'Built'],
  'image.load': ['Loading', 'Loaded'],
  'image.push': ['Pushing', 'Pushed'],
  'network.create': ['Creating', 'Created'],
  'network.update': ['Updating', 'Updated'],
  'network.remove': ['Removing', 'Removed'],
  'volume.create': ['Creating', 'Created'],
  'volume.update': ['Updating', 'Updated'],
  'volume.remove': ['Removing', 'Removed'],
  'image.remove': ['Removing', 'Removed'],
  'container.create': ['Creating', 'Created'],
  'container.start': ['Starting', 'Started'],
  'container.stop': ['Stopping', 'Stopped'],
  'container.kill': ['Killing', 'Killed'],
  'container.commit': ['Committing', 'Committed'],
  'container.copy': ['Copying', 'Copied'],
  'container.pause': ['Pausing', 'Paused'],
  'container.unpause': ['Unpausing', 'Unpaused'],
  'container.remove': ['Removing', 'Removed'],
  'dependency.await': ['Waiting', 'Ready'],
  'provider.up': ['Creating', 'Created'],
  'provider.down': ['Removing', 'Removed'],
  'provider.stop': ['Stopping', 'Stopped'],
  'update.monitor': ['Monitoring', 'Updated'],
  'stray.remove': ['Removing', 'Removed'],
};

export function doing(kind: EventKind): string {
  return words[kind][0];
}

export function done(kind: EventKind): string {
  return words[kind][1];
}

/** `container demo-web-1` → `Container demo-web-1`. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `1.2s`, `350ms`. */
export function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(1)}s`;
}

const sizes = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes in powers of 1000, three digits, as docker prints them: `12.3MB`. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < sizes.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(value >= 999.5 ? 4 : 3)}${sizes[unit]}`;
}

const binarySizes = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes in powers of 1024, four digits, as docker prints memory: `23.54GiB`. */
export function binarySize(bytes: number): string {
  const unit = bytes < 1 ? 0 : Math.min(binarySizes.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** unit).toPrecision(4))}${binarySizes[unit]}`;
}
