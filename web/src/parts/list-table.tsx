import type { ComponentChildren } from 'preact'
import { ScrollBox } from './scroll-box.tsx'

export interface ListTableProps {
  /** What it lists, for screen readers. */
  readonly label: string
  readonly columns: readonly string[]
  /** Those of the columns that contain numbers. */
  readonly numbers?: readonly string[]
  /** Whether the rows end with a cell of buttons. */
  readonly hasActions?: boolean
  /** The rows. */
  readonly children: ComponentChildren
}

/** A table of the settings. On a narrow screen each row is a block, with the name of its column before each value. */
export function ListTable({ label, columns, numbers = [], hasActions = false, children }: ListTableProps) {
  const names = Object.fromEntries(columns.map((column, index) => [`--column-${index + 1}`, JSON.stringify(column)]))
  return (
    <ScrollBox label={`Table: ${label}`} scrolls="wide">
      <table class="plain stacks" style={names}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col" class={numbers.includes(column) ? 'count' : undefined}>
                {column}
              </th>
            ))}
            {hasActions && (
              <th scope="col">
                <span class="hidden">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </ScrollBox>
  )
}
