/** Something that was started. */
export interface Started {
  name: string
  stop(): Promise<void>
}

/** What was started, in levels: each level needs the ones below. Levels are stopped from the top; within a level, all at once. */
export class LaunchLevels {
  #levels: Started[][] = []

  /** Begins the next level. What is started on it is added as soon as it runs. */
  next(): Started[] {
    const level: Started[] = []
    this.#levels.push(level)
    return level
  }

  async stopAll(onLine: (line: string) => void): Promise<void> {
    for (let level = this.#levels.pop(); level; level = this.#levels.pop()) {
      await Promise.all(
        level.map(async ({ name, stop }) => {
          const since = Date.now()
          await stop()
          onLine(`${name} stopped (${((Date.now() - since) / 1_000).toFixed(1)} s)`)
        }),
      )
    }
  }
}

/** Like Promise.all, but waits for all of them even if one fails, so that whatever did start is known and can be stopped. */
export async function allOrFirstError<Results extends readonly unknown[]>(
  starts: readonly [...{ [Key in keyof Results]: Promise<Results[Key]> }],
): Promise<Results> {
  const outcomes = await Promise.allSettled(starts)
  const failed = outcomes.find((outcome): outcome is PromiseRejectedResult => outcome.status === 'rejected')
  if (failed) throw failed.reason
  return (await Promise.all(starts)) as unknown as Results
}
