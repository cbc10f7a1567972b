import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import type { Visitor } from '../queries/visitor-clicks.ts'
import { withoutVisitor } from './letter-scrub.ts'

export interface ForgottenLetters {
  /** Dead letters from which the visitor was removed. */
  readonly letters: number
  /** Ids of letters that cannot be read and still contain the text of the id. */
  readonly unreadableLetters: readonly number[]
}

/** A letter has at most 128 KiB. */
const lettersAtOnce = 50

/** Removes the visitor from the content of dead letters, resolved ones included, in short transactions. */
export async function forgetLetters(
  db: Kysely<Tables>,
  { visitorId, projectId }: Visitor,
  interruption: AbortSignal,
): Promise<ForgottenLetters> {
  // Any character may be written as an escape: letters with escapes are read as well.
  const forms = [visitorId, JSON.stringify(visitorId).slice(1, -1), '\\u'].map((text) => Buffer.from(text))
  let letters = 0
  const unreadableLetters: number[] = []
  for (let after = 0; !interruption.aborted; ) {
    const last = await db.transaction().execute(async (transaction) => {
      const found = await transaction
        .selectFrom('dead_letters')
        .select(['id', 'content'])
        .where('id', '>', after)
        .where((where) => where.or(forms.map((form) => sql<boolean>`position(${form}::bytea in content) > 0`)))
        .orderBy('id')
        .limit(lettersAtOnce)
        .forUpdate()
        .execute()
      for (const { id, content } of found) {
        const scrubbed = withoutVisitor(content, visitorId, projectId)
        if (scrubbed.isLeft) unreadableLetters.push(id)
        if (scrubbed.content.equals(content)) continue
        letters += 1
        await transaction.updateTable('dead_letters').set({ content: scrubbed.content }).where('id', '=', id).execute()
      }
      return found.at(-1)?.id
    })
    if (last === undefined) break
    after = last
  }
  return { letters, unreadableLetters }
}
