/** Of phase 10: what one service, build, config, secret or volume says that cannot be. Source: compose-spec; compose-go's checks. */
import type { Model } from './normalise.ts';
import type { Path } from './places.ts';
import { nearest } from './suggest.ts';

type Mapping = Record<string, unknown>;

/** Reports an error of the entry at `path`; `other` is the other place involved. */
export type Tell = (path: Path, message: string, hint?: string, other?: Path) => void;

export function checkAttributes(name: string, service: Mapping, tell: Tell): void {
  const at = (...path: (string | number)[]): Path => ['services', name, ...path];
  const deploy = service.deploy as Mapping | undefined;
  if ((service.scale as number) < 0) tell(at('scale'), 'a number of containers is 0 or more');
  if ((deploy?.replicas as number) < 0) tell(at('deploy', 'replicas'), 'a number of containers is 0 or more');
  checkTargets(service, at, tell);
  const reservations = (deploy?.resources as Mapping | undefined)?.reservations as Mapping | undefined;
  const devices: [unknown, Path][] = [
    [reservations?.devices, ['deploy', 'resources', 'reservations', 'devices']],
    [service.gpus, ['gpus']],
  ];
  for (const [list, path] of devices) {
    for (const [index, device] of ((list ?? []) as Mapping[]).entries()) {
      if (device.count === undefined || device.device_ids === undefined) continue;
      tell(at(...(path as string[]), index), 'count and device_ids exclude each other', 'Keep one of the two.');
    }
  }
  const watch = (service.develop as { watch?: Mapping[] } | undefined)?.watch ?? [];
  for (const [index, { path, action, target }] of watch.entries()) {
    if (!path) tell(at('develop', 'watch', index), 'the attribute path is missing');
    if (!action) tell(at('develop', 'watch', index), 'the attribute action is missing', 'Add action: sync.');
    else if (!target && action !== 'rebuild' && action !== 'restart') {
      tell(at('develop', 'watch', index), `action ${action} needs a target`, 'Add target: the path in the container.');
    }
  }
}

/** Two mounts at one place: the later would hide the earlier. */
function checkTargets(service: Mapping, at: (...path: (string | number)[]) => Path, tell: Tell): void {
  const mounted = new Map<string, Path>();
  const note = (target: string, path: Path) => {
    const before = mounted.get(target);
    if (before) tell(path, `${target} is mounted already`, 'Keep one of the two.', before);
    else mounted.set(target, path);
  };
  for (const [index, entry] of ((service.tmpfs ?? []) as string[]).entries()) {
    note(entry.split(':')[0]!, at('tmpfs', index));
  }
  for (const [index, { target }] of ((service.volumes ?? []) as { target?: string }[]).entries()) {
    if (target !== undefined) note(target, at('volumes', index));
  }
}

export function checkBuilds(services: Record<string, Mapping>, model: Model, tell: Tell): void {
  for (const [name, { build, platform }] of Object.entries(services)) {
    if (!build) continue;
    const section = build as Mapping;
    const at = (...path: (string | number)[]): Path => ['services', name, 'build', ...path];
    if (section.dockerfile && section.dockerfile_inline) {
      const hint = 'Keep one of the two.';
      tell(at('dockerfile_inline'), 'dockerfile and dockerfile_inline exclude each other', hint, at('dockerfile'));
    }
    const platforms = section.platforms as string[] | undefined;
    if (platforms && platform && !platforms.includes(platform as string)) {
      tell(at('platforms'), `${platform} is not built`, 'Add the platform of the service.', [
        'services',
        name,
        'platform',
      ]);
    }
    for (const [index, { source }] of ((section.secrets ?? []) as { source: string }[]).entries()) {
      if (Object.hasOwn(model.secrets, source)) continue;
      const meant = nearest(source, Object.keys(model.secrets));
      tell(at('secrets', index), `secret ${source} is not defined`, meant && `Did you mean \`${meant}\`?`);
    }
    for (const [key, context] of Object.entries((section.additional_contexts ?? {}) as Record<string, string>)) {
      const target = /^service:(.*)$/s.exec(context)?.[1];
      if (target === undefined || services[target]?.build) continue;
      const meant = nearest(target, Object.keys(services));
      const message = Object.hasOwn(services, target) ? `service ${target} is not built` : `no service ${target}`;
      tell(
        at('additional_contexts', key),
        message,
        meant && meant !== target ? `Did you mean \`${meant}\`?` : undefined,
      );
    }
  }
}

/** Where the content of configs and secrets comes from, and what an external volume cannot say. */
export function checkSources(model: Model, tell: Tell): void {
  const sources = { configs: ['file', 'environment', 'content'], secrets: ['file', 'environment'] };
  for (const section of ['configs', 'secrets'] as const) {
    for (const [key, definition] of Object.entries(model[section])) {
      if (definition.external) continue;
      const given = sources[section].filter((source) => definition[source] !== undefined);
      const [first, second] = given;
      if (second !== undefined) {
        tell([section, key, second], `${given.join(' and ')} exclude each other`, 'Keep one.', [section, key, first!]);
      } else if (first === undefined && definition.driver === undefined) {
        tell(
          [section, key],
          'nothing says what is in it',
          `Add one of ${sources[section].join(', ')}, or external: true.`,
        );
      }
    }
  }
  for (const [key, volume] of Object.entries(model.volumes)) {
    if (!volume.external) continue;
    for (const attribute of ['driver', 'driver_opts', 'labels']) {
      if (volume[attribute] === undefined) continue;
      const message = 'an external volume is as it was made';
      tell(['volumes', key, attribute], message, `Remove ${attribute} or external.`, ['volumes', key, 'external']);
    }
  }
}
