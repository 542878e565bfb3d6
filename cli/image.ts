/** `stack image`: the images of this machine. */
import { defineGroup } from './command.ts';
import { diff } from './image/diff.ts';
import { history } from './image/history.ts';
import { inspect } from './image/inspect.ts';
import { load } from './image/load.ts';
import { ls } from './image/ls.ts';
import { prune } from './image/prune.ts';
import { pull } from './image/pull.ts';
import { push, referrers } from './image/registry.ts';
import { rm } from './image/rm.ts';
import { save } from './image/save.ts';
import { tag } from './image/tag.ts';

export const image = defineGroup('image', 'Pull, push, load, list, save and remove images', [
  pull,
  push,
  load,
  save,
  ls,
  inspect,
  history,
  diff,
  tag,
  rm,
  prune,
  referrers,
]);
