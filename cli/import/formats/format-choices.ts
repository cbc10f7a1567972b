/** What a person has chosen for all files. */
export interface FormatChoices {
  /** Part of each generated id; see importId(). */
  readonly source: string
  /** Whether page views count too, where a file has them beside clicks. */
  readonly pageviews: boolean
  /** Of dates without a time. */
  readonly timeZone: string
  /** Returns the key from which the visitor ids of a log are derived; only called for logs. */
  readonly visitorKey: () => Promise<Buffer>
}
