// The documents that are judged, by the names that the attacks have for them: each as `smr controller-policy` prints it
// for its flags, in the place where it belongs.

import { execFileSync } from 'node:child_process'
import { everything } from './judges.mjs'

export const account = '111122223333'
const policyArn = name => `arn:aws:iam::${account}:policy/${name}`
export const boundary = policyArn('session-manager-boundary')
export const cluster = 'sessionmanager.dev/cluster'
export const controller = `arn:aws:iam::${account}:role/session-manager-role`
export const managed = `arn:aws:iam::${account}:role/session-manager/team.web`
export const admin = `arn:aws:iam::${account}:role/admin`

const key = `arn:aws:kms:eu-central-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`
const uid = '7e02dc52-674e-41eb-8c88-b9f3e17e39a8'

/** A printer of documents. What the program says besides is shown where it fails only. */
export const printer = smr => (...flags) =>
  JSON.parse(execFileSync(smr, ['controller-policy', '--account-id', account, '--cluster-name', 'test', ...flags], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }))

// The flags of the controller in the life-cycle tests.
const scope = ['--path', '/session-manager/', '--path', '/other/', '--additional-policy-arn', 'arn:aws:iam::*:policy/*']
const adopting = ['--adopt-arn', `arn:aws:iam::${account}:role/legacy/consenting`]
const narrow = ['--path', '/session-manager/', '--additional-policy-arn', 'arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy', ...adopting]
const bounded = ['--permissions-boundary-arn', boundary]

/** Those of the recorded calls. */
export const recorded = print => ({
  bounded: print(...scope, ...bounded),
  unbounded: print(...scope, '--without-boundary'),
  readOnly: print('--read-only'),
})

/** What is in force for a request of a principal. Who is not the one that the document is for is an administrator. */
const asController = document => principal => ({ principal, policies: [principal === controller ? document : everything] })
const asManaged = document => principal => ({ principal, policies: [everything], ...(principal === managed && { boundary: document }) })
const inOrganization = document => principal => ({ principal, policies: [everything], scps: [document] })

/** By name: who asks unless the attack says so, what is in force, and the document by itself. */
export function attacked (print) {
  const policy = (...flags) => {
    const document = print(...flags)
    return { document, principal: controller, inForce: asController(document) }
  }
  const cap = (...flags) => {
    const document = print('--document', 'boundary', ...flags)
    return { document, principal: managed, inForce: asManaged(document), isCap: true }
  }
  const scp = print('--document', 'scp', '--controller-role-arn', controller)
  return {
    bounded: policy(...narrow, ...bounded),
    unbounded: policy(...narrow, '--without-boundary'),
    'read-only': policy('--read-only'),
    'tag-keys': policy(...narrow, ...bounded, '--tag-key', 'team', '--tag-key', 'cost-*'),
    'cluster-uid': policy(...bounded, '--cluster-uid', uid),
    // With the boundary as well, it would be more than AWS takes of one policy.
    'cluster-uid-adopting': policy(...adopting, '--without-boundary', '--cluster-uid', uid),
    // Longer names and paths would be more than AWS takes of one policy.
    'two-boundaries': policy('--permissions-boundary-arn', policyArn('tight'), '--permissions-boundary-arn', policyArn('wide'), '--path', '/sm/', '--path', '/w/'),
    'policy-in-china': policy('--partition', 'aws-cn', '--permissions-boundary-arn', boundary.replace('aws', 'aws-cn')),
    boundary: cap(),
    'log-bucket': cap('--log-bucket', 'session-logs/web'),
    'log-group': cap('--log-group', '/ssm/sessions'),
    'kms-key-arn': cap('--kms-key-arn', key),
    'org-id': cap('--org-id', 'o-a1b2c3d4e5'),
    'log-bucket-and-org-id': cap('--log-bucket', 'session-logs', '--org-id', 'o-a1b2c3d4e5'),
    'ec2-only': cap('--ec2-only'),
    scp: { document: scp, principal: admin, inForce: inOrganization(scp) },
  }
}
