/** `stack system`: the engine's own place on this machine. */
import { defineGroup } from './command.ts';
import { check } from './system/check.ts';
import { df } from './system/df.ts';

export const system = defineGroup('system', 'Show and check what Stack keeps on this machine', [df, check]);
