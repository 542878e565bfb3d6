/** Image references, which the planner reads too. */
export { familiar, parseReference, type Reference } from '../../planner/images/reference.ts';
