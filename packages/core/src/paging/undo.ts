/** Takes back what has just been done, for an operation that fails after it: nothing may have changed in between. */
export type Undo = () => void;
