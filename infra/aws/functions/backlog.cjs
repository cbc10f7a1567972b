// Publishes how much waits in the broker's queues, once a minute: Amazon MQ for RabbitMQ 4 has no metrics of single queues.
// Plain JavaScript in one file, because it is deployed inline. The SDK is part of Lambda's Node.
const { CloudWatchClient, PutMetricDataCommand } = require('@aws-sdk/client-cloudwatch')
const { GetSecretValueCommand, SecretsManagerClient } = require('@aws-sdk/client-secrets-manager')

const { MANAGEMENT_URL, SECRET_ARN } = process.env
const secrets = new SecretsManagerClient()
const cloudwatch = new CloudWatchClient()

exports.handler = async () => {
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: SECRET_ARN }))
  const password = JSON.parse(SecretString)['broker-password']
  const response = await fetch(`${MANAGEMENT_URL}/api/queues/%2F`, {
    headers: { authorization: `Basic ${Buffer.from(`operator:${password}`).toString('base64')}` },
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok) throw new Error(`the management API answered ${response.status}`)
  const queues = await response.json()
  const named = (name) => queues.find((queue) => queue.name === name) ?? {}
  const values = {
    Backlog: named('clicks').messages,
    BacklogBytes: named('clicks').message_bytes,
    Consumers: named('clicks').consumers,
    Suspects: named('clicks.suspect').messages,
  }
  // A queue without a leader has no numbers. Then there is none here either: an alarm tells of missing data.
  const known = Object.entries(values).filter(([, value]) => Number.isFinite(value))
  const MetricData = known.map(([MetricName, Value]) => ({
    MetricName,
    Value,
    Unit: MetricName.endsWith('Bytes') ? 'Bytes' : 'Count',
  }))
  if (MetricData.length > 0) await cloudwatch.send(new PutMetricDataCommand({ Namespace: 'Clicktally', MetricData }))
}
