// @ts-check
// One task at a time, and of those that wait only the latest.

/**
 * A function that runs `task` with its argument. Calls during a run wait, and only the latest of the calls runs.
 * @param {(argument: T) => Promise<void>} task
 * @returns {(argument: T) => void}
 * @template T
 */
export function latest(task) {
  let running = false;
  /** @type {{ argument: T } | undefined} */
  let waiting;
  return async (argument) => {
    waiting = { argument };
    if (running) return;
    running = true;
    while (waiting) {
      const next = waiting.argument;
      waiting = undefined;
      await task(next);
    }
    running = false;
  };
}
