/**
 * Operations that may have to wait: written once, as steps that yield what is to be waited for, and run in one of two
 * ways: by a promise, or at once.
 */
import { HolsteinError } from '../frame/index.js';

/** Steps of an operation. Each yields a promise to be waited for, or undefined where it is done already. */
export type Steps<Result = void> = Generator<Promise<void> | undefined, Result, void>;

/**
 * Runs steps, waiting where they want it. What a wait is rejected with is thrown in the step that yielded it.
 * @param afterWait called when a wait is over, well or not, for much may have happened; what it throws is thrown there
 *   instead.
 */
export const runSteps = <Result>(steps: Steps<Result>, afterWait?: () => void): Promise<Result> =>
  goOn(steps, steps.next(), afterWait);

/** Runs steps as far as they go without waiting. @returns what to wait for, for the rest; undefined where all is done. */
export const startSteps = (steps: Steps, afterWait?: () => void): Promise<void> | undefined => {
  let step = steps.next();
  while (step.done !== true && step.value === undefined) step = steps.next();
  return step.done === true ? undefined : goOn(steps, step, afterWait);
};

const goOn = async <Result>(
  steps: Steps<Result>,
  first: IteratorResult<Promise<void> | undefined, Result>,
  afterWait?: () => void,
): Promise<Result> => {
  let step = first;
  while (step.done !== true) {
    try {
      if (step.value !== undefined) {
        try {
          await step.value;
        } finally {
          afterWait?.();
        }
      }
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next();
  }
  return step.value;
};

/**
 * Runs steps without ever waiting.
 * @param what the call, and `instead` the one that can wait, for the message.
 * @throws HolsteinError EAGAIN where a step would have to be waited for: what it began goes on.
 */
export const runStepsAtOnce = <Result>(steps: Steps<Result>, what: string, instead: string): Result => {
  let step = steps.next();
  while (step.done !== true) {
    if (step.value !== undefined) {
      step = steps.throw(wouldWait(step.value, what, instead));
    } else {
      step = steps.next();
    }
  }
  return step.value;
};

/** Refuses to wait. @throws HolsteinError EAGAIN */
export const refuseToWait = (waiting: Promise<void>, what: string, instead: string): never => {
  throw wouldWait(waiting, what, instead);
};

const wouldWait = (waiting: Promise<void>, what: string, instead: string): HolsteinError => {
  // Nobody waits for it; who tries again hears of a failure that lasts.
  waiting.catch(() => {});
  return new HolsteinError('EAGAIN', `${what}: the pager answers later; use await ${instead}`);
};
