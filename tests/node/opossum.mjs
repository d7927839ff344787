// A breaker of opossum through its whole life.
//   node opossum.mjs post URL SERVICE   each of its events that is a transition is posted to /v1/breakers, as docs/breakers.md shows
//   node opossum.mjs expose             what opossum-prometheus exposes after each step, a line "# look" between two
import CircuitBreaker from 'opossum'
import PrometheusMetrics from 'opossum-prometheus'
import client from 'prom-client'

const [mode, url, service] = process.argv.slice(2)
let down = false
const breaker = new CircuitBreaker(async () => { if (down) throw new Error('payment is down'); return 'done' }, {
  name: 'payment', timeout: 1000, resetTimeout: 100, volumeThreshold: 4, errorThresholdPercentage: 50, rollingCountTimeout: 10_000
})

const posted = []
if (mode === 'post') {
  let state = 'closed'
  const tell = (to, reason) => {
    const { fires, failures, rejects } = breaker.stats
    const body = JSON.stringify({
      service, breaker: breaker.name, target: 'payment', instance: 'node-1', from: state, to, at: new Date().toISOString(), reason,
      calls: fires - rejects, failure_rate: fires > rejects ? failures / (fires - rejects) : null, not_permitted: rejects
    })
    state = to
    posted.push(fetch(`${url}/v1/breakers`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }))
  }
  breaker.on('open', () => tell('open', 'too many calls failed'))
  breaker.on('halfOpen', () => tell('half_open', 'the reset timeout has passed'))
  breaker.on('close', () => tell('closed', 'the trial call succeeded'))
}

const registry = new client.Registry()
const exporter = mode === 'expose' ? new PrometheusMetrics({ circuits: [breaker], registry }) : null
const look = async () => { if (exporter) console.log(`${(await registry.metrics()).trim()}\n# look`) }
const call = () => breaker.fire().catch(() => {})

await call(); await look()
down = true
for (let n = 0; n < 6; n++) await call()
await look()
await new Promise(resolve => setTimeout(resolve, 250)); await look()  // its own timer keeps no process alive
down = false
await call(); await look()
for (const answer of await Promise.all(posted)) if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`)
breaker.shutdown()
