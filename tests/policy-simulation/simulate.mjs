// Judges the controller's own IAM policy with an evaluator that is not ours. In: the documents that
// `smr controller-policy` prints, the calls that the controller made in the life-cycle tests, and
// attacks.json; out: what should be allowed and is not, or the other way round. No network.
//
//   node simulate.mjs CALLS.jsonl SMR

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const [callsFile, smr] = process.argv.slice(2)
const here = new URL('.', import.meta.url).pathname
const account = '111122223333'
const boundary = `arn:aws:iam::${account}:policy/session-manager-boundary`
const cluster = 'sessionmanager.dev/cluster'

const print = (...flags) =>
  JSON.parse(execFileSync(smr, ['controller-policy', '--account-id', account, '--cluster-name', 'test', ...flags], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))

// The flags of the controller in the life-cycle tests.
const scope = ['--path', '/session-manager/', '--path', '/other/', '--additional-policy-arn', 'arn:aws:iam::*:policy/*']
const narrow = ['--path', '/session-manager/', '--additional-policy-arn', 'arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy', '--adopt-arn', `arn:aws:iam::${account}:role/legacy/consenting`]
const documents = {
  bounded: print(...scope, '--permissions-boundary-arn', boundary),
  unbounded: print(...scope, '--without-boundary'),
  readOnly: print('--read-only'),
  attackedBounded: print(...narrow, '--permissions-boundary-arn', boundary),
  attackedUnbounded: print(...narrow, '--without-boundary'),
  boundary: print('--document', 'boundary'),
  scp: print('--document', 'scp', '--controller-role-arn', `arn:aws:iam::${account}:role/session-manager-role`),
}

const keyPolicy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'kms:*', Resource: '*' }],
}

let passed = 0
const failures = []

// Keys that the evaluator drops from a request, as AWS's data have a pattern only, or name them for EC2's own actions
// only. Another key of text stands in for each, in documents and requests alike: the rules stay the same.
const known = text => text
  .replaceAll('kms:EncryptionContext:aws:ssm:', 'aws:PrincipalTag/encryption-context-')
  .replaceAll('ec2:SourceInstanceARN', 'aws:PrincipalTag/source-instance')

async function judge (policy, action, resource, contextVariables, more = {}) {
  const simulation = {
    request: {
      principal: more.principal ?? `arn:aws:iam::${account}:role/session-manager-role`,
      action,
      resource: { resource, accountId: account },
      contextVariables,
    },
    identityPolicies: [{ name: 'policy', policy }],
    serviceControlPolicies: more.scps ?? [],
    resourceControlPolicies: [],
    // KMS asks the key's policy first; the usual one leaves the decision to IAM.
    resourcePolicy: action.startsWith('kms:') ? keyPolicy : undefined,
    permissionBoundaryPolicies: more.boundary && [{ name: 'boundary', policy: more.boundary }],
  }
  const answer = await runSimulation(JSON.parse(known(JSON.stringify(simulation))), {})
  if (answer.resultType === 'error') throw new Error(`${action} on ${resource}: ${JSON.stringify(answer.errors)}`)
  return answer.overallResult === 'Allowed'
}

function expect (allowed, wanted, what) {
  if (allowed === wanted) passed++
  else failures.push(`${what}: is ${allowed ? 'allowed' : 'denied'}, should be ${wanted ? 'allowed' : 'denied'}`)
}

// The keys that AWS sends with an action (service authorization reference), so that no request is
// judged by a key that would not be there.
const withBoundary = /^(CreateRole|DeleteRole|UpdateRole|UpdateAssumeRolePolicy|DeleteRolePolicy|DeleteRolePermissionsBoundary|GetRole|PutRolePolicy|PutRolePermissionsBoundary|AttachRolePolicy|DetachRolePolicy)$/

function context (call, bound) {
  const keys = {}
  for (const [key, value] of Object.entries(call.resourceTags)) keys[`aws:ResourceTag/${key}`] = value
  for (const [key, value] of Object.entries(call.requestTags)) keys[`aws:RequestTag/${key}`] = value
  const tagKeys = [...Object.keys(call.requestTags), ...call.untaggedKeys]
  if (tagKeys.length > 0) keys['aws:TagKeys'] = tagKeys
  const held = bound ?? call.boundary
  if (withBoundary.test(call.action) && held) keys['iam:PermissionsBoundary'] = held
  if (/^(Attach|Detach)RolePolicy$/.test(call.action)) keys['iam:PolicyARN'] = call.policyArn
  return keys
}

// What AWS authorises besides, for one call.
function authorisations (call) {
  const all = [call]
  const tagged = { CreateRole: 'TagRole', CreatePolicy: 'TagPolicy', CreateInstanceProfile: 'TagInstanceProfile' }[call.action]
  if (tagged) all.push({ ...call, action: tagged })
  if (call.action === 'AddRoleToInstanceProfile') all.push({ ...call, action: 'PassRole', resource: call.role, resourceTags: {}, passed: true })
  return all
}

// Those of a controller by its access key. Namespaces and uids differ from run to run: each kind of request is judged once.
function kindsOf (key) {
  const kinds = new Map()
  const isOurs = call => call.accessKeyId === key && (call.resource === '*' || call.resource.includes(`:${account}:`))
  for (const call of lines.filter(isOurs)) {
    for (const one of authorisations(call)) {
      const shape = JSON.stringify([one.action, Object.keys(one.resourceTags).sort(), Object.keys(one.requestTags).sort(), one.resourceTags[cluster], one.requestTags[cluster], one.untaggedKeys, one.boundary, one.policyArn?.split('/').slice(0, 2), one.resource.split('/').slice(0, 2)])
      if (!kinds.has(shape)) kinds.set(shape, one)
    }
  }
  const actions = new Set([...kinds.values()].map(call => call.action))
  for (const needed of ['CreateRole', 'CreatePolicy', 'CreateInstanceProfile', 'AttachRolePolicy', 'DetachRolePolicy', 'PutRolePolicy', 'DeleteRolePolicy', 'AddRoleToInstanceProfile', 'RemoveRoleFromInstanceProfile', 'UpdateAssumeRolePolicy', 'UpdateRole', 'CreatePolicyVersion', 'DeletePolicyVersion', 'TagRole', 'UntagRole', 'DeleteRole', 'DeletePolicy', 'DeleteInstanceProfile', 'PutRolePermissionsBoundary', 'PassRole']) {
    if (!actions.has(needed)) failures.push(`the recorded calls of ${key} have no ${needed}: record the end-to-end tests anew`)
  }
  return [...kinds.values()]
}

// 1. Every call of the life-cycle tests.
const lines = readFileSync(callsFile, 'utf8').trim().split('\n').map(line => JSON.parse(line))
const seen = kindsOf('AKIACONTROLLER')
for (const call of seen) {
  const keys = context(call)
  const what = `iam:${call.action} on ${call.resource} ${JSON.stringify(keys)}`
  if (call.passed) keys['iam:PassedToService'] = 'ec2.amazonaws.com'
  expect(await judge(documents.unbounded, `iam:${call.action}`, call.resource, keys), true, `without boundary, ${what}`)
  // With --permissions-boundary-arn the controller gives this boundary and no other.
  const bound = { ...context(call, boundary), ...(call.passed && { 'iam:PassedToService': 'ec2.amazonaws.com' }) }
  expect(await judge(documents.bounded, `iam:${call.action}`, call.resource, bound), true, `with boundary, ${what}`)
  if (/^(Get|List)/.test(call.action)) {
    expect(await judge(documents.readOnly, `iam:${call.action}`, call.resource, keys), true, `read only, ${what}`)
  } else {
    expect(await judge(documents.readOnly, `iam:${call.action}`, call.resource, keys), false, `read only, ${what}`)
  }
}
// 2. Every call of a controller that was installed with the example overlay, as it stands there, by the policy that the
// page's command writes for it (deploy/iam; 'make test-cloudformation' shows that it does).
const example = JSON.parse(readFileSync(process.env.SMR_EXAMPLE_POLICY, 'utf8'))
for (const call of kindsOf('AKIAEXAMPLE')) {
  const keys = { ...context(call), ...(call.passed && { 'iam:PassedToService': 'ec2.amazonaws.com' }) }
  expect(await judge(example, `iam:${call.action}`, call.resource, keys), true, `by deploy/iam/policy.json, iam:${call.action} on ${call.resource} ${JSON.stringify(keys)}`)
}

// 3. Attacks: all of them denied.
const { attacks, afterwards } = JSON.parse(readFileSync(`${here}attacks.json`, 'utf8'))
for (const attack of attacks) {
  const what = `${attack.reason}: ${attack.action} on ${attack.resource}`
  expect(await judge(documents.attackedBounded, attack.action, attack.resource, attack.context ?? {}), false, `with boundary, ${what}`)
  if (!attack.onlyWithBoundary) {
    expect(await judge(documents.attackedUnbounded, attack.action, attack.resource, attack.context ?? {}), false, `without boundary, ${what}`)
  }
  // The attacker may hold more than the controller's policy, where a Deny is what stops them.
  if (attack.evenForAdministrators) {
    const both = { Version: '2012-10-17', Statement: [...documents.attackedBounded.Statement, { Effect: 'Allow', Action: '*', Resource: '*' }] }
    expect(await judge(both, attack.action, attack.resource, attack.context ?? {}), false, `with *:* besides, ${what}`)
  }
}
if (attacks.length < 50) failures.push(`only ${attacks.length} attacks are written down`)

// 4. What a role with *:* can do under the boundary: what the boundary allows, and no more.
const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
const managed = `arn:aws:iam::${account}:role/session-manager/team.web`
for (const { action, resource, context: keys = {}, allowed, reason } of afterwards) {
  const capped = await judge(everything, action, resource, keys, { boundary: documents.boundary, principal: managed })
  const alone = await judge(documents.boundary, action, resource, keys, { principal: managed })
  expect(capped, allowed, `${reason}: ${action} under the boundary`)
  expect(capped, alone, `${reason}: ${action} by the boundary alone`)
}

// 5. The service control policy: nobody but the controller sets or removes ownership.
const scps = [{ orgIdentifier: 'root', policies: [{ name: 'all', policy: everything }, { name: 'scp', policy: documents.scp }] }]
const tagging = [
  ['iam:TagRole', 'role/session-manager/a', ['sessionmanager.dev/cluster']],
  ['iam:TagRole', 'role/session-manager/a', ['SessionManager.dev/Owner', 'team']],
  ['iam:UntagPolicy', 'policy/session-manager/a', ['sessionmanager.dev/uid']],
  ['iam:CreateInstanceProfile', 'instance-profile/a', ['sessionmanager.dev/owner']],
]
for (const [action, resource, keys] of tagging) {
  const arn = `arn:aws:iam::${account}:${resource}`
  const as = principal => judge(everything, action, arn, { 'aws:TagKeys': keys, 'aws:PrincipalArn': principal }, { scps, principal })
  expect(await as(`arn:aws:iam::${account}:role/admin`), false, `${action} of ${keys} by an administrator`)
  expect(await as(`arn:aws:iam::${account}:role/session-manager-role`), true, `${action} of ${keys} by the controller`)
}
const admin = `arn:aws:iam::${account}:role/admin`
for (const keys of [['team'], ['sessionmanager.dev/adoptable-by']]) {
  const allowed = await judge(everything, 'iam:TagRole', `arn:aws:iam::${account}:role/a`, { 'aws:TagKeys': keys, 'aws:PrincipalArn': admin }, { scps, principal: admin })
  expect(allowed, true, `iam:TagRole of ${keys} by an administrator`)
}

for (const failure of failures) console.error(`✗ ${failure}`)
console.log(`${seen.length} kinds of requests from ${lines.length} recorded calls, ${attacks.length} attacks`)
console.log(`${passed} passed, ${failures.length} failed`)
process.exit(failures.length === 0 ? 0 : 1)
