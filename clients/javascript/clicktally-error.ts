/** A request that was refused or not answered. */
export class ClicktallyError extends Error {
  override readonly name = 'ClicktallyError'
  /** The status of the answer; 0 if there was none. */
  readonly status: number
  /** A stable code, such as `key_unknown`; `no_answer` and `not_clicktally` are made here. */
  readonly code: string
  /** Whether the same request may succeed later. */
  readonly retryable: boolean

  constructor(message: string, { status, code, retryable }: Pick<ClicktallyError, 'status' | 'code' | 'retryable'>) {
    super(message)
    this.status = status
    this.code = code
    this.retryable = retryable
  }
}
