/**
 * CDI specifications of this machine: what vendors say a container needs for one of their devices.
 * Source: cncf-tags/container-device-interface SPEC.md (versions to 1.0.0).
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { StackError } from '../../schemas/errors.ts';

/** Where they lie, the later one before the earlier. */
export const cdiDirectories = ['/etc/cdi', '/var/run/cdi'];
/** No vendor's is a hundredth of that. */
const largest = 16 * 1024 * 1024;

const node = z.looseObject({
  path: z.string(),
  hostPath: z.optional(z.string()),
  type: z.optional(z.string()),
  major: z.optional(z.int()),
  minor: z.optional(z.int()),
  fileMode: z.optional(z.int()),
  permissions: z.optional(z.string()),
  uid: z.optional(z.int()),
  gid: z.optional(z.int()),
});
const mount = z.looseObject({
  hostPath: z.string(),
  containerPath: z.string(),
  options: z.optional(z.array(z.string())),
  type: z.optional(z.string()),
});
const hook = z.looseObject({
  hookName: z.string(),
  path: z.string(),
  args: z.optional(z.array(z.string())),
  env: z.optional(z.array(z.string())),
  timeout: z.optional(z.int()),
});
const edits = z.looseObject({
  env: z.optional(z.nullable(z.array(z.string()))),
  deviceNodes: z.optional(z.nullable(z.array(node))),
  mounts: z.optional(z.nullable(z.array(mount))),
  hooks: z.optional(z.nullable(z.array(hook))),
  additionalGids: z.optional(z.nullable(z.array(z.int()))),
});
const specification = z.looseObject({
  cdiVersion: z.string(),
  kind: z.string(),
  devices: z.array(z.looseObject({ name: z.string(), containerEdits: edits })),
  containerEdits: z.optional(edits),
});

export type ContainerEdits = z.infer<typeof edits>;
export type CdiNode = z.infer<typeof node>;

export interface CdiDevice {
  /** `vendor.com/class=name` */
  name: string;
  /** File it is described in. */
  file: string;
  /** Its own, and those that every device of the file shares. */
  edits: ContainerEdits[];
}

/** Every device of the directories by its full name. @throws config.value for a file that cannot be read, and for a name that two files of one directory claim. */
export function cdiDevices(directories: string[] = cdiDirectories): Map<string, CdiDevice> {
  const all = new Map<string, CdiDevice>();
  for (const directory of directories) {
    const here = new Map<string, CdiDevice>();
    for (const file of specifications(directory)) {
      const { kind, devices, containerEdits } = readSpecification(file);
      for (const { name, containerEdits: own } of devices) {
        const full = `${kind}=${name}`;
        const other = here.get(full);
        if (other) throw invalid(file, `${full} is also described in ${other.file}`);
        here.set(full, { name: full, file, edits: [...(containerEdits ? [containerEdits] : []), own] });
      }
    }
    for (const [name, device] of here) all.set(name, device);
  }
  return all;
}

function specifications(directory: string): string[] {
  try {
    const names = readdirSync(directory).filter((name) => ['.json', '.yaml', '.yml'].includes(extname(name)));
    return names.sort().map((name) => join(directory, name));
  } catch {
    return []; // a machine without such devices
  }
}

function readSpecification(file: string): z.infer<typeof specification> {
  let document: unknown;
  try {
    if (statSync(file).size > largest) throw new Error(`it is larger than ${largest} bytes`);
    document = parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 });
  } catch (cause) {
    throw invalid(file, (cause as Error).message.split('\n')[0]!, cause);
  }
  const read = specification.safeParse(document);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw invalid(file, `${issue!.path.map(String).join('.')}: ${issue!.message}`);
}

const invalid = (file: string, what: string, cause?: unknown) =>
  new StackError('config.value', {
    message: `The CDI specification ${file} cannot be used: ${what}.`,
    hint: 'Have the vendor’s tool write it again (for NVIDIA: `nvidia-ctk cdi generate`), or move the file away.',
    resource: file,
    cause,
  });
