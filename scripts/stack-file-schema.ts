/** Writes schemas/stack-file.schema.json from the zod schema of the stack file: `npm run schema`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stackFileJsonSchema } from '../schemas/stack-file/json-schema.ts';

const file = join(import.meta.dirname, '..', 'schemas', 'stack-file.schema.json');
writeFileSync(file, `${JSON.stringify(stackFileJsonSchema(), null, 2)}\n`);
