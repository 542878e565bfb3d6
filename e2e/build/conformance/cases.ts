/** All cases, under names that are services' names. */
import type { Cases } from './case.ts';
import { addCases } from './cases/add.ts';
import { argumentCases } from './cases/arguments.ts';
import { copyCases } from './cases/copy.ts';
import { copyPathCases } from './cases/copy-paths.ts';
import { copyStageCases } from './cases/copy-stages.ts';
import { heredocCases } from './cases/heredoc.ts';
import { ignoreCases } from './cases/ignore.ts';
import { linkCases } from './cases/link.ts';
import { metadataCases } from './cases/metadata.ts';
import { modeCases } from './cases/modes.ts';
import { mountCases } from './cases/mounts.ts';
import { ownerCases } from './cases/owners.ts';
import { runCases } from './cases/run.ts';
import { stageCases } from './cases/stages.ts';
import { syntaxCases } from './cases/syntax.ts';
import { userCases } from './cases/user-workdir.ts';

export const bases = ['busybox:1'];

export const allCases: Cases = {
  ...syntaxCases,
  ...argumentCases,
  ...metadataCases,
  ...copyCases,
  ...copyPathCases,
  ...copyStageCases,
  ...ownerCases,
  ...modeCases,
  ...linkCases,
  ...ignoreCases,
  ...addCases,
  ...heredocCases,
  ...runCases,
  ...mountCases,
  ...userCases,
  ...stageCases,
};
