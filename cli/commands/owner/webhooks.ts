import type { Delivery, Webhook } from '@clicktally/operations/owner/webhook-operations.ts'
import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, Option } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { durationOption, formatMoment } from '../../moment.ts'

interface ListOptions {
  readonly project?: string
  readonly json?: true
}

const columns: Column[] = [
  { title: 'id', align: 'left' },
  { title: 'project', align: 'left', flexible: true },
  { title: 'url', align: 'left', flexible: true },
  { title: 'state', align: 'left' },
  { title: 'undelivered', align: 'right' },
]
const deliveryColumns: Column[] = [
  { title: 'event', align: 'left' },
  { title: 'type', align: 'left' },
  { title: 'state', align: 'left' },
  { title: 'attempts', align: 'right' },
  { title: 'last error', align: 'left', flexible: true },
]

export function registerWebhooks(program: Command, context: CliContext): void {
  const webhooks = program
    .command('webhooks')
    .alias('hooks')
    .description('lists, creates and tests webhooks, to which the events of thresholds are sent')
  webhooks
    .command('list')
    .description('lists the webhooks; for failing ones, the error and the time of the next attempt')
    .option('--project <name>', 'only those of this project')
    .option('--json', 'print one JSON object per line')
    .action(async ({ project, json }: ListOptions) => {
      const api = await HttpApi.find(context)
      const { webhooks } = await api.call('listWebhooks', { querystring: { project } })
      if (json) for (const webhook of webhooks) context.print(jsonLine(webhook))
      else if (webhooks.length === 0) context.print('There are no webhooks.')
      else {
        for (const line of renderTable(columns, webhooks.map(cells))) context.print(line)
        for (const webhook of webhooks) if (webhook.lastError !== null) context.print(trouble(webhook))
      }
    })
  webhooks
    .command('create')
    .description('creates a webhook and prints its secret, with which the receiver verifies signatures')
    .argument('<url>', 'where events are sent, such as https://hooks.example/clicktally')
    .option('--project <name>', 'the project whose events are sent (default: "default")')
    .option('--json', 'print webhook and secret as a JSON object')
    .action(async (url: string, { project, json }: ListOptions) => {
      const api = await HttpApi.find(context)
      const made = await api.call('createWebhook', { body: { url, project } })
      context.print(json ? jsonLine(made) : made.secret)
      if (!json) context.notices.line('The secret is shown only now. "clicktally webhooks test" sends an event.')
    })
  for (const [name, enabled, description] of [
    ['enable', true, 'enables a webhook and sends what is undelivered'],
    ['disable', false, 'sends nothing to a webhook until it is enabled'],
  ] as const) {
    webhooks
      .command(name)
      .description(description)
      .argument('<id>', 'from "webhooks list"')
      .action(async (id: string) => {
        const api = await HttpApi.find(context)
        const webhook = await api.call('changeWebhook', { params: { id }, body: { enabled } })
        const waiting = enabled && webhook.undelivered > 0 ? ` ${eventsAreSent(webhook.undelivered)}` : ''
        context.print(`The webhook ${id} is ${name}d.${waiting}`)
      })
  }
  webhooks
    .command('rotate')
    .description('replaces the secret of a webhook and prints the new one; for some time requests are signed with both')
    .argument('<id>', 'from "webhooks list"')
    .addOption(
      new Option(
        '--overlap <duration>',
        'how long requests are also signed with the old secret; 0s if it leaked: all old secrets stop working',
      )
        .argParser(durationOption)
        .default(86_400_000, '24h'),
    )
    .option('--json', 'print webhook and secret as a JSON object')
    .action(async (id: string, { overlap, json }: { readonly overlap: number; readonly json?: true }) => {
      const api = await HttpApi.find(context)
      const body = { overlapSeconds: Math.round(overlap / 1_000) }
      const made = await api.call('rotateWebhookSecret', { params: { id }, body })
      context.print(json ? jsonLine(made) : made.secret)
      const end = formatMoment(new Date(Date.now() + overlap))
      if (!json)
        context.notices.line(`The secret is shown only now. Requests are signed with the old one too until ${end}.`)
    })
  webhooks
    .command('test')
    .description('sends an event of the type "test"')
    .argument('<id>', 'from "webhooks list"')
    .action(async (id: string) => {
      const api = await HttpApi.find(context)
      const { event } = await api.call('testWebhook', { params: { id } })
      context.print(event)
      context.notices.line(`It is sent within seconds: "clicktally webhooks deliveries ${id}" shows what became of it.`)
    })
  webhooks
    .command('deliveries')
    .description('lists the events of the last 30 days, the newest first')
    .argument('<id>', 'from "webhooks list"')
    .option('--limit <n>', 'number of events, 1 to 1,000', wholeNumber(1, 1_000), 20)
    .option('--json', 'print one JSON object per line, with what is sent')
    .action(async (id: string, { limit, json }: { readonly limit: number; readonly json?: true }) => {
      const api = await HttpApi.find(context)
      const { deliveries } = await api.call('listDeliveries', { params: { id }, querystring: { limit } })
      if (json) for (const delivery of deliveries) context.print(jsonLine(delivery))
      else if (deliveries.length === 0) context.print('There are no events.')
      else for (const line of renderTable(deliveryColumns, deliveries.map(deliveryCells))) context.print(line)
    })
  webhooks
    .command('redeliver')
    .description('sends what is undelivered now, without waiting for the next attempt')
    .argument('<id>', 'from "webhooks list"')
    .option('--event <id>', 'only this event, also if it was delivered')
    .action(async (id: string, { event }: { readonly event?: string }) => {
      const api = await HttpApi.find(context)
      const { deliveries } = await api.call('redeliver', { params: { id }, body: { event } })
      context.print(eventsAreSent(deliveries))
    })
  webhooks
    .command('delete')
    .description('deletes a webhook and its deliveries')
    .argument('<id>', 'from "webhooks list"')
    .action(async (id: string) => {
      await (await HttpApi.find(context)).call('deleteWebhook', { params: { id } })
      context.print(`The webhook ${id} was deleted.`)
    })
}

function eventsAreSent(count: number): string {
  return count === 1 ? '1 event is sent.' : `${count} events are sent.`
}

function cells({ id, project, url, state, disabledBecause, undelivered }: Webhook): string[] {
  const because = disabledBecause === null || disabledBecause === 'owner' ? '' : ` (${disabledBecause})`
  return [id, project, url, state + because, String(undelivered)]
}

function trouble({ id, lastError, nextAttemptAt }: Webhook): string {
  const next = nextAttemptAt === null ? '' : `; next attempt ${formatMoment(new Date(nextAttemptAt))}`
  return `${id}: ${lastError}${next}`
}

function deliveryCells({ event, type, state, attempts, lastError }: Delivery): string[] {
  return [event, type, state.replace('_', ' '), String(attempts), lastError ?? '']
}
