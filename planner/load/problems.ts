/** Collects what is wrong with the stack files, so that one run reports everything at once. */
import { type ErrorCode, type Position, StackError, type StackErrorFields } from '../../schemas/errors.ts';

export class Problems {
  readonly errors: StackError[] = [];
  readonly warnings: StackError[] = [];
  #order = new Map<string, number>();
  #told = new Set<string>();

  error(code: ErrorCode, fields: StackErrorFields): void {
    this.errors.push(new StackError(code, fields));
  }

  /** The same warning is kept once. */
  warn(code: ErrorCode, fields: StackErrorFields): void {
    if (this.#told.has(fields.message)) return;
    this.#told.add(fields.message);
    this.warnings.push(new StackError(code, fields));
  }

  /** Files sort in the order they were read, not by name. */
  noteFile(file: string): void {
    if (!this.#order.has(file)) this.#order.set(file, this.#order.size);
  }

  sorted(): { errors: StackError[]; warnings: StackError[] } {
    const rank = (where: Position | undefined) => (where ? (this.#order.get(where.file) ?? 1e6) : -1);
    const compare = (a: StackError, b: StackError) =>
      rank(a.where) - rank(b.where) ||
      (a.where?.line ?? 0) - (b.where?.line ?? 0) ||
      (a.where?.column ?? 0) - (b.where?.column ?? 0);
    return { errors: this.errors.toSorted(compare), warnings: this.warnings.toSorted(compare) };
  }
}
