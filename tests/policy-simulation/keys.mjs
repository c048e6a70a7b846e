// Which condition keys AWS sends with which action, from its service authorization reference: no request may be judged
// by a key that would not be there. iam-simulate knows some of it, but takes aws:RequestTag/… with any action.

const BOUNDARY = 'iam:PermissionsBoundary'
const ARN = 'iam:PolicyARN'
const REQUEST = 'aws:RequestTag/'
const TAG_KEYS = 'aws:TagKeys'
const HELD = 'aws:ResourceTag/'
const HELD_ROLE = 'iam:ResourceTag/'

/** Rows of the table: actions, and what goes with them; a key that ends with a slash stands for any tag. */
const rows = [
  // Nothing exists yet that could have tags.
  ['CreateRole', [REQUEST, TAG_KEYS, BOUNDARY]],
  ['CreatePolicy CreateInstanceProfile', [REQUEST, TAG_KEYS]],
  ['DeleteRole UpdateRole UpdateAssumeRolePolicy DeleteRolePolicy DeleteRolePermissionsBoundary GetRole PutRolePolicy PutRolePermissionsBoundary', [BOUNDARY, HELD, HELD_ROLE]],
  ['AttachRolePolicy DetachRolePolicy', [BOUNDARY, ARN, HELD, HELD_ROLE]],
  ['TagRole', [REQUEST, TAG_KEYS, HELD, HELD_ROLE]],
  ['UntagRole', [TAG_KEYS, HELD, HELD_ROLE]],
  ['PassRole', ['iam:PassedToService', 'iam:AssociatedResourceArn', HELD, HELD_ROLE]],
  ['GetRolePolicy ListRolePolicies ListAttachedRolePolicies ListInstanceProfilesForRole ListRoleTags', [HELD, HELD_ROLE]],
  ['CreatePolicyVersion SetDefaultPolicyVersion DeletePolicyVersion DeletePolicy GetPolicy GetPolicyVersion ListPolicyVersions ListPolicyTags ListEntitiesForPolicy', [HELD]],
  ['TagPolicy TagInstanceProfile', [REQUEST, TAG_KEYS, HELD]],
  ['UntagPolicy UntagInstanceProfile', [TAG_KEYS, HELD]],
  ['AddRoleToInstanceProfile RemoveRoleFromInstanceProfile DeleteInstanceProfile GetInstanceProfile ListInstanceProfileTags', [HELD]],
  ['ListRoles ListPolicies ListInstanceProfiles GetAccountAuthorizationDetails', []],
  // Those that only attackers call.
  ['AttachUserPolicy DetachUserPolicy', [BOUNDARY, ARN, HELD, HELD_ROLE]],
  ['AttachGroupPolicy', [ARN]],
  ['PutUserPolicy PutUserPermissionsBoundary DeleteUserPermissionsBoundary', [BOUNDARY, HELD, HELD_ROLE]],
  ['CreateUser', [REQUEST, TAG_KEYS, BOUNDARY]],
  ['CreateAccessKey CreateLoginProfile', [HELD, HELD_ROLE]],
  ['AddUserToGroup PutGroupPolicy', []],
  ['CreateOpenIDConnectProvider CreateSAMLProvider', [REQUEST, TAG_KEYS]],
  ['CreateServiceLinkedRole', ['iam:AWSServiceName']],
  ['UpdateRoleDescription', [BOUNDARY, HELD, HELD_ROLE]],
  ['UpdateAccountPasswordPolicy CreateAccountAlias DeleteAccountPasswordPolicy', []],
]
const ofIam = new Map(rows.flatMap(([actions, keys]) => actions.split(' ').map(action => [`iam:${action}`, keys])))

/** Of other services: only what the documents ask for. */
const encryptionContext = ['SessionId', 'TargetId'].map(name => `kms:EncryptionContext:aws:ssm:${name}`)
function ofOthers (action) {
  if (/^kms:(Decrypt|Encrypt|GenerateDataKey.*|ReEncrypt.*|CreateGrant)$/.test(action)) return [...encryptionContext, 'kms:ViaService', 'kms:CallerAccount', HELD]
  if (action.startsWith('kms:')) return ['kms:ViaService', 'kms:CallerAccount', HELD]
  if (/^s3:PutObject(Acl)?$/.test(action)) return ['s3:x-amz-acl']
  return []
}

/** What AWS sends with every request, where it is known; EC2 puts the instance into the credentials that it hands out. */
const globals = /^(aws:Principal(Arn|Account|OrgID|Type)|aws:PrincipalTag\/.+|aws:Resource(Account|OrgID)|aws:RequestedRegion|ec2:SourceInstanceARN)$/

/** The keys of a request's context that AWS would not send with its action. */
export function unsent ({ action, context = {} }) {
  const [service] = action.split(':')
  const sent = service === 'iam' ? ofIam.get(action) : ofOthers(action)
  if (!sent) return [`any key: ${action} is not in the table of keys.mjs`]
  const fits = key => sent.some(one => one.endsWith('/') ? key.startsWith(one) && key.length > one.length : key === one)
  return Object.keys(context).filter(key => !globals.test(key) && !fits(key))
}

/** AWS sends the keys of the tags in a request besides the tags. */
export function withTagKeys (context) {
  const keys = Object.keys(context).filter(key => key.startsWith(REQUEST)).map(key => key.slice(REQUEST.length))
  return keys.length > 0 ? { ...context, [TAG_KEYS]: keys } : context
}

/** The context with the keys that tell who calls, and whose the resource is. */
export function withGlobals ({ principal, resource, context = {} }) {
  const accountOf = arn => arn.split(':')[4]
  const owner = accountOf(resource)
  return {
    'aws:PrincipalArn': principal,
    'aws:PrincipalAccount': accountOf(principal),
    ...(owner && { 'aws:ResourceAccount': owner }),
    ...context,
  }
}
