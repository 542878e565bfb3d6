/** Phase 10: references, cycles and contradictions in the whole model. */
import type { StackError } from '../../schemas/errors.ts';
import { formatPosition } from '../diagnose.ts';
import { checkAttributes, checkBuilds, checkSources, type Tell } from './check-attributes.ts';
import { findCycle } from './cycle.ts';
import type { Model } from './normalise.ts';
import { type Path, type Places, positionOf } from './places.ts';
import type { Problems } from './problems.ts';
import { nearest } from './suggest.ts';

type Service = Record<string, unknown>;

export interface CheckTask {
  model: Model;
  enabled: Record<string, Service>;
  disabled: Record<string, Service>;
  places: Places;
  problems: Problems;
}

export function check(task: CheckTask): void {
  for (const name of Object.keys(task.enabled)) checkService(name, task.enabled[name]!, task);
  checkCycles(task);
  checkContainerNames(task);
  checkResourceNames(task);
  const tell: Tell = (path, message, hint, other) => fail(task, 'config.value', path, message, hint, other);
  for (const [name, service] of Object.entries(task.enabled)) checkAttributes(name, service, tell);
  checkBuilds(task.enabled, task.model, tell);
  checkSources(task.model, tell);
}

function fail(
  task: CheckTask,
  code: StackError['code'],
  path: Path,
  message: string,
  hint?: string,
  other?: Path,
): void {
  const root = { services: task.enabled, networks: task.model.networks, volumes: task.model.volumes };
  const full = { ...task.model, ...root };
  task.problems.error(code, {
    message: `${path.join('.')}: ${message}`,
    hint,
    // What is missing or refers to something is named by its key; a wrong value is pointed at itself.
    where: positionOf(task.places.find(full, path), code === 'config.value' && path.length > 2 ? 'value' : 'key'),
    other: other && positionOf(task.places.find(full, other), 'key'),
    resource: path.join('.'),
  });
}

function checkService(name: string, service: Service, task: CheckTask): void {
  const at = (...path: (string | number)[]): Path => ['services', name, ...path];
  const hasSource = service.image !== undefined || service.build !== undefined || service.provider !== undefined;
  // A service with errors of its own may lack the image because of them.
  if (!hasSource && !task.problems.errors.some(({ resource }) => `${resource}.`.startsWith(`services.${name}.`))) {
    fail(task, 'config.value', at(), 'neither image nor build is given', 'Add image: NAME.');
  }
  for (const target of Object.keys((service.depends_on ?? {}) as object)) checkDependency(name, target, task);
  for (const key of Object.keys((service.networks ?? {}) as object)) {
    if (key !== 'default') checkDefined(task, 'networks', key, at('networks', key));
  }
  for (const [index, mount] of ((service.volumes ?? []) as { type?: string; source?: string }[]).entries()) {
    if (mount.type === 'volume' && mount.source !== undefined)
      checkDefined(task, 'volumes', mount.source, at('volumes', index));
  }
  for (const key of Object.keys((service.models ?? {}) as object)) checkDefined(task, 'models', key, at('models', key));
  for (const section of ['configs', 'secrets'] as const) {
    for (const [index, grant] of ((service[section] ?? []) as { source: string }[]).entries()) {
      checkDefined(task, section, grant.source, at(section, index));
    }
  }
  if (service.network_mode !== undefined && service.networks !== undefined) {
    fail(
      task,
      'config.value',
      at('network_mode'),
      'network_mode and networks exclude each other',
      undefined,
      at('networks'),
    );
  }
  checkLimits(task, service, at);
  const copies = service.scale ?? (service.deploy as { replicas?: number } | undefined)?.replicas ?? 1;
  if (service.container_name !== undefined && (copies as number) > 1) {
    fail(
      task,
      'config.value',
      at('container_name'),
      `${copies} containers cannot have one name`,
      'Remove container_name or the scale.',
    );
  }
}

/** Attributes that say the same thing twice must agree. */
function checkLimits(task: CheckTask, service: Service, at: (...path: string[]) => Path): void {
  const deploy = service.deploy as
    | { replicas?: unknown; resources?: Record<string, Record<string, unknown>> }
    | undefined;
  const { limits = {}, reservations = {} } = deploy?.resources ?? {};
  const twice: [attribute: string, other: unknown, path: string[]][] = [
    ['scale', deploy?.replicas, ['deploy', 'replicas']],
    ['cpus', limits.cpus, ['deploy', 'resources', 'limits', 'cpus']],
    ['mem_limit', limits.memory, ['deploy', 'resources', 'limits', 'memory']],
    ['pids_limit', limits.pids, ['deploy', 'resources', 'limits', 'pids']],
    ['mem_reservation', reservations.memory, ['deploy', 'resources', 'reservations', 'memory']],
  ];
  for (const [attribute, other, path] of twice) {
    const own = service[attribute];
    if (own === undefined || other === undefined || own === other) continue;
    fail(
      task,
      'config.value',
      at(attribute),
      `${own} contradicts ${path.join('.')}, which is ${other}`,
      'Keep one of the two.',
      at(...path),
    );
  }
}

function checkDependency(name: string, target: string, task: CheckTask): void {
  if (Object.hasOwn(task.enabled, target)) return;
  const path: Path = ['services', name, 'depends_on', target];
  const dependencies = task.enabled[name]!.depends_on as Record<string, { required?: boolean }>;
  if (dependencies[target]!.required === false && Object.hasOwn(task.disabled, target)) {
    delete dependencies[target];
    if (Object.keys(dependencies).length === 0) delete task.enabled[name]!.depends_on;
    return;
  }
  if (Object.hasOwn(task.disabled, target)) {
    const profiles = (task.disabled[target]!.profiles as string[]).join(', ');
    fail(
      task,
      'config.undefined-reference',
      path,
      `service ${target} is off: it belongs to profile ${profiles}`,
      `Turn it on with --profile ${profiles.split(', ')[0]}.`,
    );
    return;
  }
  const meant = nearest(target, Object.keys({ ...task.enabled, ...task.disabled }));
  fail(task, 'config.undefined-reference', path, `no service ${target}`, meant && `Did you mean \`${meant}\`?`);
}

function checkDefined(
  task: CheckTask,
  section: 'networks' | 'volumes' | 'configs' | 'secrets' | 'models',
  key: string,
  path: Path,
): void {
  if (Object.hasOwn(task.model[section], key)) return;
  const meant = nearest(key, Object.keys(task.model[section]));
  const hint = meant
    ? `Did you mean \`${meant}\`?`
    : `Define it: add \`${key}:\` under \`${section}:\` at the end of the file.`;
  fail(task, 'config.undefined-reference', path, `${section.slice(0, -1)} ${key} is not defined`, hint);
}

function checkCycles(task: CheckTask): void {
  const edges = new Map(
    Object.entries(task.enabled).map(([name, service]) => [name, Object.keys((service.depends_on ?? {}) as object)]),
  );
  const cycle = findCycle(edges);
  if (!cycle) return;
  const [from, to] = cycle as [string, string];
  const path: Path = ['services', from, 'depends_on', to];
  const root = { services: task.enabled };
  const steps = cycle.slice(1).map((next, index) => {
    const where = positionOf(task.places.find(root, ['services', cycle[index]!, 'depends_on', next]), 'key');
    return where && `${cycle[index]} → ${next} at ${formatPosition(where)}`;
  });
  const shown = steps.length > 12 ? [...steps.slice(0, 11), `${steps.length - 11} more`] : steps;
  fail(
    task,
    'config.cycle',
    path,
    `services depend on each other: ${cycle.join(' → ')}`,
    `Remove one of these dependencies: ${shown.filter(Boolean).join(', ')}.`,
  );
}

function checkContainerNames(task: CheckTask): void {
  const owners = new Map<string, string>();
  for (const [name, service] of Object.entries(task.enabled)) {
    if (typeof service.container_name !== 'string') continue;
    checkName(task, ['services', name, 'container_name'], service.container_name);
    const owner = owners.get(service.container_name);
    if (owner === undefined) owners.set(service.container_name, name);
    else {
      fail(
        task,
        'config.value',
        ['services', name, 'container_name'],
        `${service.container_name} is also the name of service ${owner}`,
        undefined,
        ['services', owner, 'container_name'],
      );
    }
  }
}

/** Names become parts of paths and of kernel names: docker's rule for them is kept for all. */
function checkName(task: CheckTask, path: Path, name: string, isPrefixed = false): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(isPrefixed ? `p${name}` : name)) return;
  const rule = 'letters, digits, dots, underscores and hyphens, beginning with a letter or digit';
  fail(task, 'config.value', path, `${JSON.stringify(name)} is no name: a name is made of ${rule}`);
}

function checkResourceNames(task: CheckTask): void {
  for (const section of ['networks', 'volumes', 'configs', 'secrets'] as const) {
    for (const [key, definition] of Object.entries(task.model[section])) {
      if (typeof definition.name === 'string') checkName(task, [section, key, 'name'], definition.name);
      else checkName(task, [section, key], key, !definition.external);
    }
  }
}
