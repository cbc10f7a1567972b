/** Ends what was to be done. The message is for the person who started it: what is wrong, and what to do about it. */
export class ClientError extends Error {
  override name = 'ClientError'
}
