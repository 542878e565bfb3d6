/** `stack builder`: the build cache. */
import { prune } from './builder/prune.ts';
import { defineGroup } from './command.ts';

export const builder = defineGroup('builder', 'Remove what builds keep for the next one', [prune]);
