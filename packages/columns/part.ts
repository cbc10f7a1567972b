/** One dimension of some clicks: different ids, and for each click the position of its id. */
export interface PartColumn {
  readonly ids: ArrayLike<number>
  readonly positions: ArrayLike<number>
}

/** Clicks that are added up together: at most 65,536. Arrays are valid until the next part is read. */
export interface Part {
  readonly rows: number
  /** The ids of a dimension. */
  column(dimension: string): PartColumn
  /** Times as minutes since 1970, or the hour of all of them if minutes were not read. */
  minutes(): PartColumn
  /** 1 for each bot, else 0. */
  bots(): Uint8Array
  /** Hashes; -1 for none. */
  visitors(): Int32Array
}
