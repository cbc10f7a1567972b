/** Ends the run. The message is for the person who started it: what is wrong, and what to do about it. */
export class DemoError extends Error {
  override name = 'DemoError'
}
