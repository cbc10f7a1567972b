import type { Stream } from 'node:stream'

/**
 * Lets go of a COPY that has ended or failed. node-postgres sets a timer for its time limit and replaces `callback` to clear it, which
 * pg-copy-streams never calls: the timer would keep the process alive. And it reports the end of its connection, which may follow, as an
 * error: without a listener that would end the process.
 */
export function endCopy(copy: Stream): void {
  copy.on('error', () => {})
  ;(copy as { callback?: () => void }).callback?.()
}
