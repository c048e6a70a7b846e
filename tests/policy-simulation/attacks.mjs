// The attacks of the folder attacks: each is denied, and its twin, which differs from it in one value, is allowed. So it
// is that value which decides, and no mistake in the request.
//
// A file: {about, against: [names of documents], attacks: [...]}. An attack: reason, action, resource, perhaps context,
// principal and against; and
//   twin                    what is other in it: {action}, {resource}, {principal} or {context: {key: value or null}}
//   onlyWithBoundary        against the policy with a boundary, not against the one without
//   evenForAdministrators   a Deny: denied too where the attacker has *:* besides, and so is the twin judged

import { readdirSync, readFileSync } from 'node:fs'
import { everything } from './judges.mjs'
import { unsent, withTagKeys } from './keys.mjs'

/** All of them, each with the documents that it is against. */
export function read (folder) {
  const files = readdirSync(folder).filter(name => name.endsWith('.json')).sort()
  return files.flatMap(name => {
    const { against, attacks } = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'))
    const of = attack => attack.onlyWithBoundary ? against.filter(document => document !== 'unbounded') : against
    return attacks.map(attack => ({ against: of(attack), ...attack }))
  })
}

const requestOf = ({ action, resource, principal, context = {} }) => ({ action, resource, principal, context })

function twinOf (attack) {
  const { context: changed = {}, ...rest } = attack.twin
  const context = { ...attack.context, ...changed }
  for (const [key, value] of Object.entries(context)) if (value === null) delete context[key]
  return { ...requestOf(attack), ...rest, context }
}

/** In how many values two requests differ. Of a list, a member that is there, gone or another one is a value. */
export function differences (a, b) {
  const differ = (one, other) => {
    if (!Array.isArray(one) || !Array.isArray(other)) return one === other ? 0 : 1
    const gone = one.filter(member => !other.includes(member)).length
    const come = other.filter(member => !one.includes(member)).length
    return Math.max(gone, come)
  }
  const among = (one, other) => {
    const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
    return names.reduce((sum, name) => sum + differ(one[name], other[name]), 0)
  }
  const { context: held, ...rest } = a
  const { context: others, ...remaining } = b
  return among(rest, remaining) + among(held, others)
}

/** What is wrong with how an attack is written. */
function mistakes (attack, documents) {
  const found = []
  const twin = twinOf(attack)
  const count = differences(requestOf(attack), twin)
  if (count !== 1) found.push(`its twin differs in ${count} values, not in one`)
  if (!attack.reason) found.push('has no reason')
  if (attack.against.length === 0) found.push('is against nothing')
  for (const name of attack.against) if (!documents[name]) found.push(`there is no document '${name}'`)
  for (const [what, request] of [['it', attack], ['its twin', twin]]) {
    const keys = unsent({ ...request, context: withTagKeys(request.context ?? {}) })
    if (keys.length > 0) found.push(`AWS does not send with ${what}: ${keys.join(', ')}`)
  }
  return found
}

async function judgeOne (attack, name, { document, principal, inForce, isCap }, { judge, tally }) {
  const told = request => `${request.action} on ${request.resource} ${JSON.stringify(request.context)}`
  const twin = twinOf(attack)
  const verdict = (request, besides = []) => {
    const force = inForce(request.principal ?? principal)
    return judge({ ...force, policies: [...force.policies, ...besides], ...requestWithTagKeys(request) })
  }
  const besides = attack.evenForAdministrators ? [everything] : []
  tally.expect(await verdict(requestOf(attack)), false, `${name}, ${attack.reason}: ${told(requestOf(attack))}`)
  tally.expect(await verdict(twin, besides), true, `${name}, the twin of '${attack.reason}': ${told(twin)}`)
  if (attack.evenForAdministrators) {
    tally.expect(await verdict(requestOf(attack), besides), false, `${name}, with *:* besides, ${attack.reason}: ${told(requestOf(attack))}`)
  }
  // A cap is what it allows as a policy: a role's own *:* adds nothing to it.
  if (isCap) {
    const byIt = [[requestOf(attack), false], [twin, true]].filter(([request]) => !request.principal)
    for (const [request, wanted] of byIt) {
      const alone = await judge({ principal, policies: [document], ...requestWithTagKeys(request) })
      tally.expect(alone, wanted, `${name} by itself, ${attack.reason}: ${told(request)}`)
    }
  }
}

function requestWithTagKeys ({ action, resource, context }) {
  return { action, resource, context: withTagKeys(context) }
}

/** Judges all of them by both evaluators. */
export async function judgeAttacks (attacks, documents, judging) {
  const { tally } = judging
  const known = new Map()
  for (const attack of attacks) {
    const what = `${attack.reason}: ${attack.action} on ${attack.resource}`
    const same = JSON.stringify([requestOf(attack), attack.against])
    if (known.has(same)) tally.fail(`${what}: is written down twice`)
    known.set(same, what)
    const found = mistakes(attack, documents)
    for (const mistake of found) tally.fail(`${what}: ${mistake}`)
    if (found.length > 0) continue
    for (const name of attack.against) await judgeOne(attack, name, documents[name], judging)
  }
  const used = new Set(attacks.flatMap(attack => attack.against))
  for (const name of Object.keys(documents)) if (!used.has(name)) tally.fail(`nothing attacks the document '${name}'`)
  if (attacks.length < 160) tally.fail(`only ${attacks.length} attacks are written down`)
}
