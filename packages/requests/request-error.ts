/** Ends the operation. The message tells the user what is wrong and what to do. */
export class RequestError extends Error {
  override name = 'RequestError'
}
