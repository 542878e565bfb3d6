/** Finds a cycle in a graph given as name → names it points to. */

/** One cycle as a path that ends where it begins (`a b c a`), or undefined. Linear; not recursive, so depth is no limit. */
export function findCycle(edges: Map<string, string[]>): string[] | undefined {
  const done = new Set<string>();
  for (const start of edges.keys()) {
    if (done.has(start)) continue;
    const path: string[] = [start];
    const onPath = new Set(path);
    const next: number[] = [0];
    while (path.length > 0) {
      const at = path.at(-1)!;
      const target = edges.get(at)?.[next[next.length - 1]!++];
      if (target === undefined) {
        path.pop();
        next.pop();
        onPath.delete(at);
        done.add(at);
      } else if (onPath.has(target)) return [...path.slice(path.indexOf(target)), target];
      else if (!done.has(target)) {
        path.push(target);
        onPath.add(target);
        next.push(0);
      }
    }
  }
  return undefined;
}
