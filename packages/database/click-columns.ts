import type { Click } from '@clicktally/event/click.ts'
import { type ColumnType, type EventField, eventFields, optionalTexts } from '@clicktally/event/event-fields.ts'

/** A column of the table `clicks` that is filled from the click; the others have defaults. */
export interface ClickColumn {
  readonly name: string
  readonly type: ColumnType | 'int'
  /** The value as node-postgres takes it. */
  readonly value: (click: Click) => unknown
}

/**
 * The columns of `clicks` in the order in which processors write them. The primary key comes first.
 *
 * @param fields those of `eventFields`, or more
 */
export function clickColumns(fields: readonly EventField[] = eventFields): ClickColumn[] {
  const column = (name: string, value: (click: Click) => unknown): ClickColumn => {
    const field = fields.find((each) => each.name === name)
    if (field?.column === undefined) throw new Error(`there is no column for the field ${name}`)
    return { name: field.column, type: field.type, value }
  }
  return [
    column('id', ({ id }) => id),
    { name: 'project_id', type: 'int', value: ({ projectId }) => projectId },
    column('occurredAt', ({ occurredAtMs }) => new Date(occurredAtMs).toISOString()),
    { name: 'received_at', type: 'timestamptz', value: ({ receivedAtMs }) => new Date(receivedAtMs).toISOString() },
    column('bot', ({ bot }) => bot === true),
    column('target', ({ target }) => target),
    ...optionalTexts(fields).map(({ name }) => column(name, (click) => click[name] ?? null)),
    column('props', ({ props }) => (props === undefined ? null : JSON.stringify(props))),
  ]
}
