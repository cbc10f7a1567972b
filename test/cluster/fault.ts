/** Something that is done to containers, and how it ends. */
export interface Fault {
  begin(): Promise<unknown>
  /** Brings back what `begin` took away. Nothing to do if that comes back by itself. */
  end?(): Promise<unknown>
}

/** Several faults at once. */
export function together(...faults: readonly Fault[]): Fault {
  return {
    begin: () => Promise.all(faults.map((fault) => fault.begin())),
    end: () => Promise.all(faults.map((fault) => fault.end?.())),
  }
}
