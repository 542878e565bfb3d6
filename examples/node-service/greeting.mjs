/** What the service says to somebody. */
export function greeting(name, version) {
  const who = name?.trim() || 'world';
  return { hello: who, version };
}
