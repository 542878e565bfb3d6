/** Files of the store that are replaced as a whole, on a full disk too. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { asStoreError } from './disk-full.ts';
import type { Store } from './store.ts';

/** Sets space aside that {@link replaceFile} gives free on a full disk. */
export function makeReserve(root: string): void {
  const path = join(root, 'reserve');
  if (fs.existsSync(path)) return;
  try {
    fs.writeFileSync(path, Buffer.alloc(256 * 1024), { mode: 0o600 });
  } catch {
    // The disk is full already.
    fs.rmSync(path, { force: true });
  }
}

/** @throws StackError `host.disk-full` where even the reserve is not enough, `image.store` */
export function replaceFile(store: Store, path: string, content: string | Uint8Array, isSynced: boolean): void {
  try {
    replace(store, path, content, isSynced);
  } catch (thrown) {
    const reserve = join(store.root, 'reserve');
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC' || !fs.existsSync(reserve)) {
      throw asStoreError(thrown, `writing ${path}`);
    }
    fs.rmSync(reserve, { force: true });
    try {
      replace(store, path, content, isSynced);
    } catch (again) {
      throw asStoreError(again, `writing ${path}`);
    }
  }
}

/** Without the reserve, for what can be done without. What a kill leaves of it is swept. @throws as fs does */
export function replace(
  store: Pick<Store, 'root' | 'makeLocked'>,
  path: string,
  content: string | Uint8Array,
  isSynced: boolean,
): void {
  const temporary = join(store.root, 'ingest', randomBytes(12).toString('hex'));
  const fd = store.makeLocked(temporary, () => fs.openSync(temporary, 'wx', 0o644));
  try {
    fs.writeFileSync(fd, content);
    if (isSynced) fs.fsyncSync(fd);
    fs.renameSync(temporary, path);
  } catch (thrown) {
    fs.rmSync(temporary, { force: true });
    throw thrown;
  } finally {
    fs.closeSync(fd);
  }
}
