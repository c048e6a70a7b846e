-- A SessionManagerRole in, its health out, by the conditions that its controller writes.
-- Nothing is healthy before the controller has seen this generation of the object.

local hs = {}
local status = obj.status or {}
local generation = obj.metadata.generation
local seen = status.observedGeneration == generation
local deleting = obj.metadata.deletionTimestamp ~= nil

local is_true = {}
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" then
    is_true[condition.type] = condition
  end
end

local function told(condition)
  return condition.reason .. ": " .. condition.message
end

-- The annotation counts at once, the condition until the controller has taken it back.
local annotations = obj.metadata.annotations or {}
if annotations["sessionmanager.dev/paused"] == "true" or is_true.Paused ~= nil then
  hs.status = "Suspended"
  hs.message = "Paused: nothing in IAM is read or written"
  if deleting then
    hs.message = hs.message .. "; the deletion waits"
  elseif not seen then
    hs.message = hs.message .. "; spec of generation " .. generation .. " waits"
  end
  return hs
end

if not seen then
  hs.status = "Progressing"
  if deleting then
    hs.message = "Waiting for the controller to see the deletion"
  else
    hs.message = "Waiting for the controller to see spec of generation " .. generation
  end
  return hs
end

-- A person has to act.
if is_true.Stalled ~= nil then
  hs.status = "Degraded"
  hs.message = told(is_true.Stalled)
  if deleting then
    hs.message = "The deletion is held up. " .. hs.message
  end
  return hs
end

-- It goes on by itself.
if is_true.Reconciling ~= nil then
  hs.status = "Progressing"
  hs.message = told(is_true.Reconciling)
  return hs
end

if is_true.Ready ~= nil and not deleting then
  hs.status = "Healthy"
  hs.message = told(is_true.Ready)
  if is_true.UnlistedAccess ~= nil then
    hs.message = hs.message .. ". " .. told(is_true.UnlistedAccess)
  end
  return hs
end

hs.status = "Progressing"
hs.message = "Waiting for the controller to tell how it stands"
return hs
