/** Lists of CPUs and memory nodes: `0-3,7`. Source: cpuset(7) "List format". */

/** More CPUs or nodes than any kernel is built for (CONFIG_NR_CPUS, NODES_SHIFT). */
const most = 8192;

/** Why `text` is not a list of numbers and ranges, ascending within a range; undefined where it is. Empty is one. */
export function listProblem(text: string): string | undefined {
  if (text.trim() === '') return undefined;
  for (const item of text.split(',')) {
    const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(item) ?? [];
    if (first === undefined)
      return `must be a list of numbers and ranges such as 0-3,7: ${JSON.stringify(text.slice(0, 120))}`;
    if (Number(first) > Number(last)) return `has a range that runs backwards: ${item.trim()}`;
    if (Number(last) >= most) return `names number ${last!.slice(0, 20)}, the largest is ${most - 1}`;
  }
  return undefined;
}
