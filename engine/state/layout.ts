/**
 * Where everything lies. Both roots move by one environment variable each, so a test owns a private world.
 *
 *   STACK_ROOT      /var/lib/stack
 *     images/                     an OCI image layout: oci-layout, index.json, blobs/sha256/… (more in engine/images/store)
 *     layers/<chain id>/          an unpacked layer: fs/, and a mark once it is whole
 *     volumes/<name>/             volume.json, _data/
 *     networks/<name>.json        NetworkRecord
 *     build/                      the build cache (engine/build/cache): steps/<key>.json, blobs/, contexts/, caches/<id>/data,
 *                                 fetched/<build>/, locks/<key> of steps at work, inputs/<hash of a name>.json
 *     stacks/<stack>/<id>/        one container: container.json, config.json (OCI bundle), upper/, work/, log,
 *                                 hosts, hostname, resolv.conf
 *     providers/<stack>.json      services of others: what they are, the variables they gave (engine/providers)
 *     watch/<stack>/<service>.json  what `stack watch` brought into containers (engine/watch/manifest)
 *     labels/<level>              SELinux categories in use, a link to <stack>/<id> (engine/security/categories)
 *     plan.key                    with which plan files are signed (engine/state/plan-key)
 *   STACK_RUN       /run/stack
 *     settings.json               the settings file as it was last checked (engine/settings)
 *     apparmor-default            the loaded profile's hash (engine/security/apparmor)
 *     locks/<stack>               flock(2), held while a command changes the stack
 *     networks/<name>.names       table of names the resolvers map (engine/network/names)
 *     containers/<id>/            control (the shim's socket), status, secrets/ and configs/ made for it
 *     builds/build-<8 hex>/       a build at work, which holds it locked: secrets, sockets, /etc/hosts of its steps
 */
import { resolve } from 'node:path';

export interface Layout {
  root: string;
  run: string;
  images: string;
  layers: string;
  build: string;
  volumes: string;
  networks: string;
  stacks: string;
  labels: string;
  locks: string;
  appArmorMark: string;
  stackDir(stack: string): string;
  containerDir(stack: string, id: string): string;
  containerRun(id: string): string;
  lock(stack: string): string;
  /** What providers said when they were brought up. */
  providers(stack: string): string;
  /** What was brought into the containers of a stack's services. */
  watchDir(stack: string): string;
  networkRecord(name: string): string;
  networkNames(name: string): string;
  volumeDir(name: string): string;
}

export function layout(environment: NodeJS.ProcessEnv = process.env): Layout {
  // Absolute: monitors work from another directory. Joined by hand below: these are called for every container.
  const root = resolve(environment.STACK_ROOT || '/var/lib/stack');
  const run = resolve(environment.STACK_RUN || '/run/stack');
  return {
    root,
    run,
    images: `${root}/images`,
    layers: `${root}/layers`,
    build: `${root}/build`,
    volumes: `${root}/volumes`,
    networks: `${root}/networks`,
    stacks: `${root}/stacks`,
    labels: `${root}/labels`,
    locks: `${run}/locks`,
    appArmorMark: `${run}/apparmor-default`,
    stackDir: (stack) => `${root}/stacks/${stack}`,
    containerDir: (stack, id) => `${root}/stacks/${stack}/${id}`,
    containerRun: (id) => `${run}/containers/${id}`,
    providers: (stack) => `${root}/providers/${stack}.json`,
    lock: (stack) => `${run}/locks/${stack}`,
    watchDir: (stack) => `${root}/watch/${stack}`,
    networkRecord: (name) => `${root}/networks/${name}.json`,
    networkNames: (name) => `${run}/networks/${name}.names`,
    volumeDir: (name) => `${root}/volumes/${name}`,
  };
}
