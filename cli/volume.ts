/** `stack volume`: the volumes of this machine. */
import { defineGroup } from './command.ts';
import { create } from './volume/create.ts';
import { inspect } from './volume/inspect.ts';
import { ls } from './volume/ls.ts';
import { prune } from './volume/prune.ts';
import { rm } from './volume/rm.ts';

export const volume = defineGroup('volume', 'Make, list and remove volumes', [create, inspect, ls, prune, rm]);
