import { join } from 'node:path'
import { runProgram } from '@clicktally/faults/suite-program.ts'
import { ClusterSystem } from './cluster-system.ts'

await runProgram({
  command: 'npm run test:cluster',
  description:
    'Starts compose.cluster.yml with Docker, on Linux and as root, makes its nodes fail under load, and verifies that every ' +
    'click answered with 202 is counted exactly once. Takes about 40 minutes.',
  scenarios: join(import.meta.dirname, 'scenarios'),
  documentPath: 'docs/cluster-faults.md',
  heading: 'Faults in a cluster',
  introduction: `What happens to clicks when nodes of a cluster fail. The cluster fault suite generates this page: \`npm run test:cluster\`. It starts
\`compose.cluster.yml\` (three nodes of RabbitMQ, three of PostgreSQL under Patroni, three of etcd, two HAProxy, two ingests, two
processors, two apis), all on one machine, sends clicks, and makes nodes fail: killed, silent (\`docker pause\`), or cut off (every
packet is dropped). After each fault it waits until the cluster is whole, and looks up every id that it sent in the database.

A node that fails **stays away until clicks are accepted and counted again**, and the times in the table begin when it fails.
Where that cannot be, because a majority is away, they begin when its nodes are started again.

Row 0 begins with a single system of \`docker-compose.yml\`, under load, and makes a cluster of it in the way of
[scaling.md](scaling.md#from-a-single-system-with-its-data); its duration is how long clicks were refused.`,
  // Scenario 0 makes a cluster of it.
  start: (options, scenarios) => ClusterSystem.start(options, scenarios.includes(0) ? 'single' : 'cluster'),
})
