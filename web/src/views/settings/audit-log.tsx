import type { AuditEntry } from '@clicktally/operations/owner/audit-operations.ts'
import { useSignal } from '@preact/signals'
import { formatMoment } from '../../format.ts'
import { usePolled } from '../../http/polling.ts'
import { request } from '../../http/request.ts'
import { Card } from '../../parts/card.tsx'
import { ListTable } from '../../parts/list-table.tsx'

const pageSize = 50

/** Who changed what, the newest first. */
export function AuditLog() {
  const polled = usePolled<{ entries: AuditEntry[] }>(`/v1/audit?limit=${pageSize}`, 10_000)
  const older = useSignal<AuditEntry[]>([])
  const newest = polled.data?.entries ?? []
  const entries = [...newest, ...older.value]
  const last = entries.at(-1)
  const showOlder = async () => {
    const more = await request<{ entries: AuditEntry[] }>(`/v1/audit?limit=${pageSize}&before=${last?.id}`)
    older.value = [...older.value, ...more.entries]
  }
  return (
    <Card title="Audit log" polled={polled}>
      <ListTable label="Audit log" columns={['Time', 'Who', 'Action', 'Subject', 'Detail']}>
        {[...new Map(entries.map((entry) => [entry.id, entry])).values()].map((entry) => (
          <tr key={entry.id}>
            <td class="nowrap">{formatMoment(new Date(entry.at))}</td>
            <td>{entry.actorName || entry.actor}</td>
            <td>{entry.action}</td>
            <td>
              <code>{entry.subject}</code>
            </td>
            <td class="muted">{Object.keys(entry.detail).length > 0 && <code>{JSON.stringify(entry.detail)}</code>}</td>
          </tr>
        ))}
      </ListTable>
      {last !== undefined && last.id > 1 && entries.length >= pageSize && (
        <p>
          <button type="button" class="small" onClick={() => void showOlder()}>
            Older entries
          </button>
        </p>
      )}
    </Card>
  )
}
