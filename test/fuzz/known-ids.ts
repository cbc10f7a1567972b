/** The most of one kind that are known; the latest ones. */
const most = 50

/** Ids and cursors in the answers to earlier requests, for the parameters of later ones. */
export class KnownIds {
  /** By the path of their collection and the name of the parameter, and by the name alone. */
  readonly #ids = new Map<string, Set<string>>()
  readonly #spared = new Set<string>()

  /** What an answer contains is never used: what the fuzzing itself needs, and must not delete or rename. */
  spare(answer: unknown): void {
    for (const [, id] of idsIn(answer)) this.#spared.add(id)
  }

  /** @param path of the operation, with placeholders: /v1/keys/{id} */
  learn(path: string, answer: unknown): void {
    for (const [name, id] of idsIn(answer)) {
      if (this.#spared.has(id)) continue
      for (const kind of [`${collectionOf(path)} ${name}`, name]) {
        const ids = this.#ids.get(kind) ?? new Set()
        this.#ids.set(kind, ids)
        ids.delete(id)
        ids.add(id)
        for (const oldest of ids) {
          if (ids.size <= most) break
          ids.delete(oldest)
        }
      }
    }
  }

  of(path: string, name: string): string[] {
    return [...(this.#ids.get(`${collectionOf(path)} ${name}`) ?? this.#ids.get(name) ?? [])]
  }
}

/** Properties of answers that name things, and the parameter that takes them if it has another name. */
const parameterOf: Readonly<Record<string, string>> = { id: 'id', slug: 'slug', name: 'name', nextCursor: 'cursor' }

function collectionOf(path: string): string {
  return path.replace(/\/\{.*$/, '')
}

function idsIn(value: unknown): (readonly [parameter: string, id: string])[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([property, each]) => {
    const name = parameterOf[property]
    if (typeof each !== 'string') return idsIn(each)
    return name === undefined ? [] : [[name, each] as const]
  })
}
