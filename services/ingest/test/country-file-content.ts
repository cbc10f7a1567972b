/** Values that the writer knows: maps and texts. */
type Value = string | number | { readonly [name: string]: Value }

/**
 * The content of a file in the MaxMind format (https://maxmind.github.io/MaxMind-DB/), with a record for each network.
 *
 * @param records by the first bits of an address, such as `1100000000` for 192.0.0.0/10
 */
export function countryFileContent(ipVersion: 4 | 6, records: Readonly<Record<string, Value>>): Buffer {
  const paths = Object.entries(records)
  const data = paths.map(([, value]) => encode(value))
  // A node is the prefix that leads to it.
  const nodes = [...new Set(paths.flatMap(([path]) => Array.from(path, (_, length) => path.slice(0, length))))]
  const tree = Buffer.alloc(nodes.length * 8)
  for (const [index, node] of nodes.entries()) {
    for (const bit of [0, 1]) {
      const next = `${node}${bit}`
      const record = paths.findIndex(([path]) => path === next)
      const offset = data.slice(0, Math.max(record, 0)).reduce((sum, { length }) => sum + length, 0)
      const known = record === -1 ? nodes.indexOf(next) : nodes.length + 16 + offset
      tree.writeUInt32BE(known === -1 ? nodes.length : known, index * 8 + bit * 4)
    }
  }
  const metadata = encode({
    ...{ binary_format_major_version: 2, binary_format_minor_version: 0, build_epoch: 1_700_000_000 },
    ...{ database_type: 'Test', description: {}, ip_version: ipVersion, languages: {} },
    ...{ node_count: nodes.length, record_size: 32 },
  })
  const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
  return Buffer.concat([tree, Buffer.alloc(16), ...data, marker, metadata])
}

function encode(value: Value): Buffer {
  if (typeof value === 'string') return Buffer.concat([Buffer.from([0x40 | value.length]), Buffer.from(value)])
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(5)
    bytes[0] = 0xc4
    bytes.writeUInt32BE(value, 1)
    return bytes
  }
  const entries = Object.entries(value)
  return Buffer.concat([
    Buffer.from([0xe0 | entries.length]),
    ...entries.flatMap(([name, each]) => [encode(name), encode(each)]),
  ])
}
