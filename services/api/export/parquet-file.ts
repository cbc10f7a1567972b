import type { ClickProperty } from '@clicktally/operations/read/click-operations.ts'
import { ByteWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer'
import { propertyValue } from '../clicks/click-record.ts'
import type { ClickRow } from '../queries/click-page.ts'

/** Rows in a row group. Readers work best with more; encoding so many takes about 0.1 s, in which nothing else is answered. */
const groupRows = 20_000
/** Characters in the texts of a row group, so that its memory is bounded. */
const groupChars = 16 * 1024 * 1024

const types = {
  id: { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } },
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  time: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  boolean: { type: 'BOOLEAN' },
  object: { type: 'BYTE_ARRAY', converted_type: 'JSON' },
} as const satisfies Record<ClickProperty['kind'], Partial<SchemaElement>>

/** A Parquet file, row group by row group. */
export async function* parquetFile(
  pages: AsyncIterable<readonly ClickRow[]>,
  properties: readonly ClickProperty[],
): AsyncGenerator<Uint8Array> {
  const bytes = new ByteWriter()
  // Column indexes are kept until the end of the file; without statistics they stay small.
  const file = new ParquetWriter({ writer: bytes, schema: schemaOf(properties), statistics: false })
  let group: ClickRow[] = []
  let chars = 0
  for await (const rows of pages) {
    group.push(...rows)
    chars += rows.reduce((sum, row) => sum + textChars(row), 0)
    if (group.length < groupRows && chars < groupChars) continue
    yield encode()
  }
  if (group.length > 0) yield encode()
  file.finish()
  yield written()

  function encode(): Uint8Array {
    const columnData = properties.map((property) => ({
      name: property.name,
      data: group.map((row) => propertyValue(property, row)),
      offsetIndex: false,
    }))
    file.write({ columnData, rowGroupSize: group.length })
    group = []
    chars = 0
    return written()
  }

  function written(): Uint8Array {
    const part = bytes.getBytes().slice()
    // The writer counts on in `offset`, and writes the next bytes at `index`.
    bytes.index = 0
    return part
  }
}

function schemaOf(properties: readonly ClickProperty[]): SchemaElement[] {
  return [
    { name: 'root', num_children: properties.length },
    ...properties.map(
      ({ name, kind, isOptional }): SchemaElement => ({
        ...types[kind],
        name,
        repetition_type: isOptional ? 'OPTIONAL' : 'REQUIRED',
      }),
    ),
  ]
}

function textChars(row: ClickRow): number {
  let chars = 0
  for (const value of Object.values(row)) {
    if (typeof value === 'string') chars += value.length
    else if (value !== null && typeof value === 'object' && !(value instanceof Date))
      chars += JSON.stringify(value).length
  }
  return chars
}
