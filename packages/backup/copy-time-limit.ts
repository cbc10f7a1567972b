/**
 * Ends the time limit of a COPY that is done. node-postgres sets a timer for it and replaces `callback` to clear it, which pg-copy-streams
 * never calls: the timer would keep the process alive.
 */
export function endTimeLimit(copy: object): void {
  ;(copy as { callback?: () => void }).callback?.()
}
