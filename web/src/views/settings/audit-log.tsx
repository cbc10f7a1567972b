import type { AuditEntry } from '@clicktally/operations/owner/audit-operations.ts'
import { formatMoment } from '../../format.ts'
import { usePages } from '../../http/pages.ts'
import { Card } from '../../parts/card.tsx'
import { ListTable } from '../../parts/list-table.tsx'
import { OlderButton } from '../../parts/older-button.tsx'

/** Who changed what, the newest first. */
export function AuditLog() {
  const pages = usePages<AuditEntry>('/v1/audit', {}, 'entries', 10_000)
  return (
    <Card title="Audit log" polled={pages}>
      <ListTable label="Audit log" columns={['Time', 'Who', 'Action', 'Subject', 'Detail']}>
        {pages.data?.items.map((entry) => (
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
      <OlderButton pages={pages} what="entries" />
    </Card>
  )
}
