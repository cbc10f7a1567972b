import type { Click } from './click.ts'

/** A click that waits to be sent. */
export interface QueuedClick {
  readonly click: Click
  /** Of this queue, ascending. */
  readonly number: number
  /** The click as it is sent, now and at each retry. */
  readonly json: string
  readonly bytes: number
  /** When the click happened by this device's clock, if its id was made here from that time. */
  readonly madeAtMs: number | undefined
}

export interface BatchLimits {
  readonly clicks: number
  readonly bytes: number
}

const encoder = new TextEncoder()

/** @throws {TypeError} if the click cannot be written as JSON */
export function queuedClick(click: Click, number: number, madeAtMs: number | undefined): QueuedClick {
  const json = JSON.stringify(click)
  return { click, number, json, bytes: encoder.encode(json).byteLength + 1, madeAtMs }
}

/** Clicks that wait to be sent, in order. */
export class ClickQueue {
  #clicks: QueuedClick[] = []
  #lastNumber = 0

  get length(): number {
    return this.#clicks.length
  }

  /** The number of the last click that was added. */
  get lastNumber(): number {
    return this.#lastNumber
  }

  /** @throws {TypeError} if the click cannot be written as JSON */
  add(click: Click, madeAtMs: number | undefined): void {
    this.#clicks.push(queuedClick(click, this.#lastNumber + 1, madeAtMs))
    this.#lastNumber += 1
  }

  /** Whether a click up to this number waits. */
  hasUpTo(number: number): boolean {
    return (this.#clicks[0]?.number ?? Number.POSITIVE_INFINITY) <= number
  }

  /** Removes the first clicks: as many as a batch holds, but at least one. */
  take({ clicks, bytes }: BatchLimits): QueuedClick[] {
    let count = 0
    let taken = 0
    for (const click of this.#clicks.slice(0, clicks)) {
      taken += click.bytes
      if (count > 0 && taken > bytes) break
      count += 1
    }
    return this.#clicks.splice(0, count)
  }
}
