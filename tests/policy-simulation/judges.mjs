// The two evaluators: the npm package @cloud-copilot/iam-simulate, which is not ours, and the emulator's own. Each
// request goes to both: what the end-to-end tests show with the emulator's evaluator is worth as much as that is right.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'
import { withGlobals } from './keys.mjs'

/** What an administrator's policy says, and AWS's own FullAWSAccess. */
export const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }

const keyPolicy = account => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'kms:*', Resource: '*' }],
})

// Keys that the evaluator drops from a request, as AWS's data have a pattern only, or name them for EC2's own actions
// only. Another key of text stands in for each, in documents and requests alike: the rules stay the same.
const known = text => text
  .replaceAll('kms:EncryptionContext:aws:ssm:', 'aws:PrincipalTag/encryption-context-')
  .replaceAll('ec2:SourceInstanceARN', 'aws:PrincipalTag/source-instance')

/** What a document comes to is computed once: a number for its text, and what the evaluator gets. */
const numbers = new Map()
const forms = new WeakMap()
function formOf (document) {
  if (!forms.has(document)) {
    const text = JSON.stringify(document)
    if (!numbers.has(text)) numbers.set(text, numbers.size)
    forms.set(document, { number: numbers.get(text), policy: JSON.parse(known(text)) })
  }
  return forms.get(document)
}

async function simulate ({ policies, boundary, scps = [], action, resource, context }) {
  const accountId = context['aws:PrincipalAccount']
  const named = document => ({ name: 'policy', policy: formOf(document).policy })
  const simulation = {
    request: {
      principal: context['aws:PrincipalArn'],
      action,
      resource: { resource, accountId },
      contextVariables: JSON.parse(known(JSON.stringify(context))),
    },
    identityPolicies: policies.map((policy, index) => ({ ...named(policy), name: `policy ${index}` })),
    // Each on a level of the organization, beside FullAWSAccess.
    serviceControlPolicies: scps.map((scp, index) => ({ orgIdentifier: `level ${index}`, policies: [{ name: 'all', policy: everything }, named(scp)] })),
    resourceControlPolicies: [],
    // KMS asks the key's policy first; the usual one leaves the decision to IAM.
    resourcePolicy: action.startsWith('kms:') ? keyPolicy(accountId) : undefined,
    permissionBoundaryPolicies: boundary && [named(boundary)],
  }
  const answer = await runSimulation(simulation, {})
  if (answer.resultType === 'error') throw new Error(`${action} on ${resource}: ${JSON.stringify(answer.errors)}`)
  // A key that is dropped would make a condition hold, or not, for another reason than the request's.
  const dropped = (answer.results ?? [answer.result]).flatMap(({ ignoredContextKeys = [] }) => ignoredContextKeys)
  if (dropped.length > 0) throw new Error(`${action} on ${resource}: the evaluator drops ${dropped}`)
  return answer.overallResult === 'Allowed'
}

/** The emulator's evaluator as a program that answers line by line. */
function emulatorOf (program) {
  const child = spawn(program, ['--judge'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting = []
  let ended
  const end = error => {
    ended = error
    for (const { reject } of waiting.splice(0)) reject(error)
  }
  createInterface({ input: child.stdout }).on('line', line => waiting.shift().resolve(line === 'allowed'))
  child.on('error', end)
  child.on('exit', code => end(new Error(`the emulator's evaluator ended with ${code}`)))
  child.stdin.on('error', end)
  const judge = ({ policies, boundary = null, scps = [], action, resource, context }) => new Promise((resolve, reject) => {
    if (ended) return reject(ended)
    waiting.push({ resolve, reject })
    // An entry is a level of the organization, and has to allow: FullAWSAccess is on each.
    const levels = scps.map(scp => ({ ...scp, Statement: [...scp.Statement, ...everything.Statement] }))
    child.stdin.write(`${JSON.stringify({ policies, boundary, scps: levels, action, resource, context })}\n`)
  })
  return { judge, stop: () => child.stdin.end() }
}

/**
 * Judges a request by all that is in force: {policies, boundary, scps, principal, action, resource, context}. The
 * verdict is {allowed, disagreement}: the latter has both answers where they differ.
 */
export function judges (program) {
  const emulator = emulatorOf(program)
  const verdicts = new Map()
  const ask = async request => {
    const [allowed, emulated] = await Promise.all([simulate(request), emulator.judge(request)])
    const word = answer => answer ? 'allowed' : 'denied'
    return { allowed, disagreement: allowed === emulated ? undefined : `${word(allowed)} by iam-simulate, ${word(emulated)} by the emulator` }
  }
  return {
    judge: asked => {
      const { principal, ...request } = { ...asked, context: withGlobals(asked) }
      const { policies, boundary, scps = [], action, resource, context } = request
      const number = document => document && formOf(document).number
      // Many cases come to the same request.
      const key = JSON.stringify([policies.map(number), number(boundary), scps.map(number), action, resource, context])
      if (!verdicts.has(key)) verdicts.set(key, ask(request))
      return verdicts.get(key)
    },
    asked: () => verdicts.size,
    stop: emulator.stop,
  }
}

/** Counts what is as it should be, and remembers what is not. */
export class Tally {
  passed = 0
  failures = []

  /** That one verdict, of both evaluators, is the wanted one. */
  expect ({ allowed, disagreement }, wanted, what) {
    if (disagreement) this.failures.push(`${what}: ${disagreement}, should be ${wanted ? 'allowed' : 'denied'}`)
    else if (allowed !== wanted) this.failures.push(`${what}: is ${allowed ? 'allowed' : 'denied'}, should be ${wanted ? 'allowed' : 'denied'}`)
    else this.passed++
  }

  fail (what) {
    this.failures.push(what)
  }

  /** Prints the counts, and gives the exit code. */
  end () {
    for (const failure of this.failures.slice(0, 100)) console.error(`✗ ${failure}`)
    if (this.failures.length > 100) console.error(`✗ and ${this.failures.length - 100} more`)
    console.log(`${this.passed} passed, ${this.failures.length} failed`)
    return this.failures.length === 0 ? 0 : 1
  }
}
