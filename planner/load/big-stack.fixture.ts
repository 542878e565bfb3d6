/** A large stack file, for measuring: `count` services with about six dependencies each. */
export function bigStack(count: number): { text: string; edges: number } {
  const lines = ['services:'];
  let edges = 0;
  for (let index = 0; index < count; index++) {
    lines.push(
      `  s${index}:`,
      '    image: busybox:${TAG:-1}',
      '    command: sleep 1000',
      '    environment:',
      '      - A=1',
      '      - B=${B:-two}',
      '    ports:',
      `      - "${1000 + index}:80"`,
      '    volumes:',
      `      - data${index % 7}:/data`,
      `    networks: [n${index % 5}]`,
    );
    const targets = new Set(
      Array.from({ length: 6 }, (_, k) => Math.floor((index * (k + 1)) / 7)).filter((one) => one < index),
    );
    edges += targets.size;
    if (targets.size > 0) lines.push('    depends_on:', ...[...targets].map((one) => `      - s${one}`));
  }
  lines.push('volumes:', ...[0, 1, 2, 3, 4, 5, 6].map((one) => `  data${one}:`));
  lines.push('networks:', ...[0, 1, 2, 3, 4].map((one) => `  n${one}:`));
  return { text: `${lines.join('\n')}\n`, edges };
}
