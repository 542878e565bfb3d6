/** Root, mounts and the paths covered in it. Source: runtime-spec config.md "Root", "Mounts", config-linux.md "Masked Paths". */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Mount, RuntimeSpec } from '../../../../schemas/oci-runtime.ts';
import { type Findings, shown } from './findings.ts';
import { mappingProblems } from './mappings.ts';
import { namespaceOf, type Rule } from './rule.ts';

const root: Rule = {
  reads: ['root'],
  check(spec, findings, bundle) {
    const path = spec.root?.path;
    if (!path) {
      findings.refuse(spec.root ? 'root.path' : 'root', 'is missing: a container needs a root filesystem');
      return;
    }
    const whole = resolve(bundle, path);
    try {
      if (!statSync(whole).isDirectory()) findings.refuse('root.path', `is not a directory: ${shown(whole)}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const why = code === 'ENOENT' ? 'does not exist' : `cannot be reached (${code})`;
      findings.refuse('root.path', `${why}: ${shown(whole)}`);
    }
  },
};

const mounts: Rule = {
  reads: ['mounts', 'linux.namespaces'],
  check(spec, findings) {
    for (const [at, mount] of (spec.mounts ?? []).entries()) {
      checkMount(spec, mount, `mounts[${at}]`, findings);
    }
  },
};

function checkMount(spec: RuntimeSpec, mount: Mount, path: string, findings: Findings): void {
  const { destination, options = [], uidMappings, gidMappings } = mount;
  if (destination === '') findings.refuse(`${path}.destination`, 'must not be empty');
  else if (!destination.startsWith('/')) {
    findings.warn(`${path}.destination`, `is relative, which is deprecated; it counts from /: ${shown(destination)}`);
    mount.destination = `/${destination}`;
  }
  const isBind = mount.type === 'bind' || options.includes('bind') || options.includes('rbind');
  if (isBind && !mount.source) findings.refuse(`${path}.source`, 'is missing: a bind mount needs one');

  const hasUids = (uidMappings?.length ?? 0) > 0;
  const hasGids = (gidMappings?.length ?? 0) > 0;
  const option = options.findLast((one) => one === 'idmap' || one === 'ridmap');
  if (hasUids !== hasGids) {
    findings.refuse(path, `has ${hasUids ? 'uidMappings' : 'gidMappings'} alone; both or none must be there`);
  } else if (option && !hasUids && !namespaceOf(spec, 'user')) {
    findings.refuse(`${path}.options`, `has ${option}, but neither the mount nor a user namespace says what to map`);
  }
  mappingProblems(uidMappings, `${path}.uidMappings`, findings);
  mappingProblems(gidMappings, `${path}.gidMappings`, findings);
}

const covered: Rule = {
  reads: ['linux.maskedPaths', 'linux.readonlyPaths'],
  check({ linux }, findings) {
    for (const name of ['maskedPaths', 'readonlyPaths'] as const) {
      for (const [at, path] of (linux?.[name] ?? []).entries()) {
        if (!path.startsWith('/')) findings.refuse(`linux.${name}[${at}]`, `must be an absolute path: ${shown(path)}`);
      }
    }
  },
};

export const filesystemRules: Rule[] = [root, mounts, covered];
