/** `stack network`: the networks of this machine, and those that stacks share with `external: true`. */
import { defineGroup } from './command.ts';
import { connect, disconnect } from './network/connect.ts';
import { create } from './network/create.ts';
import { inspect } from './network/inspect.ts';
import { ls } from './network/ls.ts';
import { prune } from './network/prune.ts';
import { rm } from './network/rm.ts';

export const network = defineGroup('network', 'Make, list and remove networks that stacks share', [
  ls,
  create,
  inspect,
  rm,
  prune,
  connect,
  disconnect,
]);
