import type { ClientBase } from 'pg'

/** In every language: where PostgreSQL stops waiting for the synchronous standby. */
const waitingRoutine = 'SyncRepWaitForLSN'

/**
 * Runs statements that end with a commit, and checks that the commit has waited for the synchronous standby, if there is one.
 *
 * If somebody cancels a commit that waits (`pg_cancel_backend`), PostgreSQL reports it as done, with a warning: only the primary has it
 * then, and a failover loses it. https://www.postgresql.org/docs/18/warm-standby.html#SYNCHRONOUS-REPLICATION-HA
 *
 * @throws if that happened. It may be repeated: the next commit waits for all before it.
 */
export async function committedDurably<Result>(client: ClientBase, act: () => Promise<Result>): Promise<Result> {
  let isCancelled = false
  const onNotice = ({ routine }: { readonly routine?: string | undefined }) => {
    isCancelled ||= routine === waitingRoutine
  }
  client.on('notice', onNotice)
  try {
    const result = await act()
    if (isCancelled) throw new Error('the commit was cancelled while it waited for the synchronous standby')
    return result
  } finally {
    client.off('notice', onNotice)
  }
}
