/** Phase 7: services of profiles nobody asked for are set aside. Source: compose-spec 15-profiles.md. */
import { StackError } from '../../schemas/errors.ts';
import type { Places } from './places.ts';
import { nearest } from './suggest.ts';

type Services = Record<string, Record<string, unknown>>;

export interface Selection {
  enabled: Services;
  disabled: Services;
  errors: StackError[];
}

/** A service named explicitly turns its own profiles on. `*` turns all on. */
export function applyProfiles(services: Services, profiles: string[], named: string[], places: Places): Selection {
  const errors: StackError[] = [];
  const active = new Set(profiles);
  const isEnabled = (service: Record<string, unknown>) => {
    const own = (service.profiles ?? []) as string[];
    return own.length === 0 || active.has('*') || own.some((profile) => active.has(profile));
  };
  for (const name of named) {
    if (!Object.hasOwn(services, name)) {
      const meant = nearest(name, Object.keys(services));
      errors.push(
        new StackError('config.no-service', {
          message: `no such service: ${name}`,
          hint: meant ? `Did you mean \`${meant}\`?` : `Services: ${Object.keys(services).join(', ')}.`,
        }),
      );
    } else if (!isEnabled(services[name]!)) {
      for (const profile of services[name]!.profiles as string[]) active.add(profile);
    }
  }
  const enabled: Services = {};
  const disabled: Services = {};
  for (const [name, service] of Object.entries(services)) {
    const target = isEnabled(service) ? enabled : disabled;
    target[name] = service;
    places.set(target, name, places.get(services, name));
  }
  return { enabled, disabled, errors };
}
