/** Goes on where reading a log stopped, across rotation and restarts of the container, without losing a line. */
import { closeSync, type FSWatcher, watch } from 'node:fs';
import { closeFiles, currentInode, type LogFile, linesFrom, openFiles } from './files.ts';
import { Joiner, type LogLine, parseRecord } from './line.ts';
import { isInRange, type LogRange, readFiles } from './read.ts';

/**
 * Follows one container's log. Take {@link history} first, then {@link start}: the directory is watched from the
 * beginning, so nothing falls between the two.
 */
export class LogFollower implements Disposable {
  private file: LogFile | undefined;
  private offset = 0;
  private readonly joiner = new Joiner();
  private readonly directory: string;
  private readonly range: LogRange;
  private readonly onLine: (line: LogLine) => void;
  private readonly watcher: FSWatcher;
  private isStarted = false;

  /** @param directory the container's directory; it must exist. The log itself may come later. */
  constructor(directory: string, range: LogRange, onLine: (line: LogLine) => void) {
    this.directory = directory;
    this.range = range;
    this.onLine = onLine;
    // inotify(7): a write, a rename of `log` and the new `log` are all events of the directory.
    this.watcher = watch(directory, { persistent: true }, () => {
      if (this.isStarted) this.read();
    });
    // The directory may go with its container; the descriptor of the log stays readable.
    this.watcher.on('error', () => {});
  }

  /** The lines of the range that are there now. To be read to its end, once. */
  *history(): Generator<LogLine> {
    const files = openFiles(this.directory);
    try {
      this.offset = yield* readFiles(files, this.range, this.joiner);
      this.file = files.pop();
    } finally {
      closeFiles(files);
    }
  }

  /** From here on lines are handed over as they are written. */
  start(): void {
    this.isStarted = true;
    this.read();
  }

  /** Hands over what was written since: called on every event, and once more by whoever knows the container ended. */
  read(): void {
    for (;;) {
      this.readToEnd();
      const inode = currentInode(this.directory);
      if (inode === null || inode === this.file?.inode) return;
      this.goToNextFile();
    }
  }

  /** Hands over what a program wrote without a newline before it ended. */
  flush(): void {
    for (const line of this.joiner.flush()) this.onLine(line);
  }

  [Symbol.dispose](): void {
    this.watcher.close();
    if (this.file) closeSync(this.file.fd);
    this.file = undefined;
  }

  /** `log` is another file than ours: reads ours to its end and moves to the one that was made after it. */
  private goToNextFile(): void {
    const files = openFiles(this.directory);
    // What was written between the last read and the rename.
    this.readToEnd();
    const ours = files.findIndex((file) => file.inode === this.file?.inode);
    if (this.file) closeSync(this.file.fd);
    closeFiles(files.slice(0, ours + 1));
    const newer = files.slice(ours + 1);
    this.file = newer.shift();
    this.offset = 0;
    // More than one rotation since the last event: the files between are read at once.
    for (const next of newer) {
      this.readToEnd();
      if (this.file) closeSync(this.file.fd);
      this.file = next;
      this.offset = 0;
    }
  }

  private readToEnd(): void {
    if (!this.file) return;
    const lines = linesFrom(this.file.fd, this.offset);
    let next = lines.next();
    for (; !next.done; next = lines.next()) {
      const record = parseRecord(next.value);
      const line = record && this.joiner.push(record);
      if (line && isInRange(line.time, this.range)) this.onLine(line);
    }
    this.offset = next.value;
  }
}
