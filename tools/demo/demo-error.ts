/** Ends the run. Its message tells the user what is wrong and what to do. */
export class DemoError extends Error {
  override name = 'DemoError'
}
