import { readdirSync } from 'node:fs';

/** Names in a directory; none where it cannot be read: it may not be there yet, or may have just gone. */
export function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
