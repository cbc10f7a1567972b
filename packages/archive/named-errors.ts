import { type ArchiveStore, unavailable } from './archive-store.ts'

/** The store, whose errors name it: those of disks and networks do not say what they are errors of, and a command uses a database as well. */
export function withNamedErrors(store: ArchiveStore): ArchiveStore {
  const { description } = store
  const named = (error: unknown): never => {
    throw unavailable(description, error)
  }
  return {
    description,
    async write(name, content) {
      let failure: { readonly error: unknown } | undefined
      async function* watched() {
        try {
          yield* content
        } catch (error) {
          failure = { error }
          throw error
        }
      }
      await store.write(name, watched()).catch((error) => {
        // Of what was to be written, such as an error of the database.
        if (failure !== undefined) throw failure.error
        named(error)
      })
    },
    read: (name) => store.read(name).catch(named),
    list: (prefix) => store.list(prefix).catch(named),
    remove: (name) => store.remove(name).catch(named),
    close: () => store.close(),
  }
}
