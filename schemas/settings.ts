/** The settings file: /etc/stack/settings.yaml, or the file named by STACK_SETTINGS. Everything has a default. */
import * as z from 'zod/mini';

export const settings = z.strictObject({
  registries: z.optional(
    z.record(
      /** Registry host as image names carry it: `docker.io`, `localhost:5000`. */
      z.string(),
      z.strictObject({
        /** Asked in order before the registry itself: `http://127.0.0.1:5000`, `mirror.example.com/hub`. */
        mirrors: z.optional(z.array(z.string())),
        /** Plain HTTP or unverified TLS is allowed for this host, and for no other: a mirror has an entry of its own. */
        insecure: z.optional(z.boolean()),
        /** PEM file of authorities that are trusted besides the machine's. */
        ca: z.optional(z.string()),
        /** PEM files of the certificate shown to the host, and of its key, which may be in the same file. */
        clientCert: z.optional(z.string()),
        clientKey: z.optional(z.string()),
      }),
    ),
  ),
  network: z.optional(
    z.strictObject({
      /** Pools that subnets of new networks are taken from. */
      pools: z.optional(z.array(z.strictObject({ base: z.string(), size: z.int() }))),
    }),
  ),
  /** SELinux labels for every container, where the machine runs with SELinux. Off unless set, as in docker. */
  selinux: z.optional(z.boolean()),
  /** Parent of all our cgroups, at the top of each hierarchy. */
  cgroupParent: z.optional(z.string()),
});
export type Settings = z.infer<typeof settings>;
