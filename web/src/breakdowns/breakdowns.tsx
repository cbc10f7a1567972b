import { hrefWith } from '../state/place.ts'
import { isOwner } from '../state/session.ts'
import { BreakdownCard, type Tab } from './breakdown-card.tsx'

interface Group {
  readonly title: string
  readonly tabs: readonly Tab[]
}

/** The cards, in order. The hint says why no click may have a value. */
const groups: Readonly<Record<string, Group>> = {
  sources: {
    title: 'Sources',
    tabs: [
      { dimension: 'channel', hint: 'Clicks need the URL of their page or a referrer. tally.js sends both.' },
      { dimension: 'referrer', hint: 'No click came with a referrer. tally.js sends it; a server sends `referrer`.' },
    ],
  },
  pages: {
    title: 'Pages',
    tabs: [
      { dimension: 'path', hint: 'No click came with the URL of its page. tally.js sends it; a server sends `url`.' },
      { dimension: 'host', hint: 'No click came with the URL of its page. tally.js sends it; a server sends `url`.' },
    ],
  },
  countries: {
    title: 'Countries',
    tabs: [
      {
        dimension: 'country',
        hint: 'Set CLICKTALLY_COUNTRY_HEADER or CLICKTALLY_COUNTRY_FILE, as .env.example describes, or send `country`.',
      },
    ],
  },
  devices: {
    title: 'Devices',
    tabs: (['browser', 'os', 'device'] as const).map((dimension) => ({
      dimension,
      hint: 'Browsers tell it by themselves. A server sends the `userAgent` of its visitor.',
    })),
  },
  campaigns: {
    title: 'Campaigns',
    tabs: (['source', 'medium', 'campaign', 'term', 'content'] as const).map((name) => ({
      dimension: `utm_${name}`,
      label: name[0]?.toUpperCase() + name.slice(1),
      hint: `No click came from a page whose address has utm_${name}, such as ?utm_${name}=newsletter.`,
    })),
  },
}

/** Where the clicks come from, side by side. Each value is a click away from being a filter. */
export function Breakdowns({ props }: { readonly props: readonly string[] }) {
  return (
    <div class="cards narrow">
      {Object.entries(groups).map(([name, { title, tabs }]) => (
        <BreakdownCard key={name} name={name} title={title} tabs={tabs} />
      ))}
      {props.length > 0 ? (
        <BreakdownCard
          name="props"
          title="Props"
          tabs={props.map((dimension) => ({ dimension, hint: 'No click of this range has the prop.' }))}
        />
      ) : (
        isOwner() && <NoProps />
      )}
    </div>
  )
}

function NoProps() {
  return (
    <section class="card" aria-label="Props">
      <header>
        <h2>Props</h2>
      </header>
      <p class="nothing">
        Clicks can carry data of your own, such as <code>plan</code>. Declare these props in the{' '}
        <a href={hrefWith({ section: 'projects' }, '/settings')}>settings of the project</a> to see their values here.
      </p>
    </section>
  )
}
