/** The steps of a run that leave something behind: in the database or among the archives. */
export type StepName =
  | 'closed'
  | 'begun'
  | 'read'
  | 'written'
  | 'described'
  | 'read back'
  | 'verified'
  | 'given up'
  | 'removed some'
  | 'dropped'
  | 'erased one'

/** Called after each step. Tests kill the process there. */
export type Step = (name: StepName) => void | Promise<void>
